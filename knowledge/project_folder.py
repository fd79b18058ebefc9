"""Finds the assistant's folder that a command works on."""

import os
import shutil
import tempfile
from pathlib import Path

from knowledge.errors import AgentError, InputError
from knowledge.home import config_dir, home

BUNDLED = "bank"
DOMAIN_FILES = ("domain.yml", "domain.yaml", "domain")
# What running the assistant writes into its folder stays out of a fresh copy.
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".agent", "models", "*.pyc")


def find_project(project: Path | None = None, *, bundled: str = BUNDLED) -> Path:
    """The absolute folder of the assistant: the one asked for, the current one, or a bundled one.

    Without `project`, the current folder counts when it holds a `domain.yml` or `domain/`;
    else the `bundled` assistant is copied once to the per-user folder, so that it can be
    written to.

    Raises:
        InputError: `project` is no folder.
        AgentError: the bundled assistant cannot be copied.
    """
    if project is not None:
        folder = project.expanduser().absolute()
        if not folder.is_dir():
            raise InputError("no such folder; --project takes an assistant's folder", path=project)
        return folder
    current = Path.cwd()
    if any((current / name).exists() for name in DOMAIN_FILES):
        return current
    return _bundled_copy(bundled)


def bundled_assistant(name: str = BUNDLED) -> Path:
    """The read-only folder of an assistant that comes with the package.

    Raises:
        InputError: there is none of that name; lists those there are.
    """
    assistants = config_dir() / "assistants"
    folder = assistants / name
    if not name or not folder.is_dir() or folder.parent != assistants:
        known = sorted(path.name for path in assistants.glob("*") if path.is_dir())
        raise InputError(f"no bundled assistant {name!r}; there are: {', '.join(known) or 'none'}")
    return folder


def copy_assistant(source: Path, target: Path) -> None:
    """Copies an assistant to `target` so that it appears whole or not at all.

    When somebody else made `target` meanwhile, theirs stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        shutil.copytree(source, temporary, ignore=LEFT_OUT, dirs_exist_ok=True)
        temporary.chmod(0o755)
        _make_writable(temporary)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _bundled_copy(name: str) -> Path:
    target = home() / "assistants" / name
    if target.is_dir():
        return target
    try:
        copy_assistant(bundled_assistant(name), target)
    except OSError as error:
        raise AgentError(
            f"cannot copy the bundled assistant to {target} ({error}); "
            "name a project with --project, or set INTENT_AGENT_HOME to a writable folder"
        ) from error
    return target


def _make_writable(folder: Path) -> None:
    # An installed package may be read-only, and the copy inherits its modes.
    for root, _, names in os.walk(folder):
        for path in (Path(root), *(Path(root) / name for name in names)):
            path.chmod(path.stat().st_mode | 0o200)
