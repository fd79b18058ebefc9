"""The command `agent`: joins the command groups of the three rooms and shows errors as lines."""

import io
import os
import sys
from pathlib import Path

import typer

from agent.cli import register_all
from agent.cli.gaps import register as register_gaps
from knowledge.cli import register as register_knowledge
from knowledge.errors import AgentError
from knowledge.options import KnowledgeOptions
from training.cli import register as register_training


def build_app() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="agent",
        help="A conversational agent that people correct and that learns from it.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    register_all(app)
    register_gaps(register_knowledge(app, _knowledge_options))
    register_training(app)
    return app


def main() -> None:
    """Run the command line; known errors become one line on standard error."""
    _tolerate_any_text()
    _share_cores()
    try:
        build_app()()
    except AgentError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _fail(_explain(error), 1)


def _tolerate_any_text() -> None:
    """Bytes that are no UTF-8 are read as replacements; what cannot be encoded is escaped."""
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _share_cores() -> None:
    """Let the threads of a computation sleep, not spin, when they wait for one another.

    torch's OpenMP spins for long by default; where another process wants the cores, the
    threads that spin take them from those that work, and a training took 2 to 4 times as long.
    Read when torch loads, hence before any command; the environment's own setting holds.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def _knowledge_options(project: Path) -> KnowledgeOptions:
    # pydantic and the YAML reader are loaded by the commands that read settings.
    from agent.settings import load_settings

    return load_settings(project).knowledge.options()


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"agent: {message}\n")
    sys.exit(code)


def _explain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


if __name__ == "__main__":
    main()
