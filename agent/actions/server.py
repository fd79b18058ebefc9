"""The action server process: rasa-sdk's server over a project's actions; imports none of ours.

`server.py HOST PORT MODULE` runs in the project's folder. It ends when its standard input
closes, so that it never outlives the command that started it.
"""

import importlib
import os
import signal
import sys
import threading
import traceback

from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor
from sanic import Sanic


def load_actions(module: str) -> ActionExecutor | None:
    """The project's actions; None, and the reason on standard error, if they do not import."""
    sys.path.insert(0, os.getcwd())
    executor = ActionExecutor()
    try:
        importlib.import_module(module)
        executor.register_package(module)
    except BaseException as error:
        traceback.print_exception(error)
        return None
    return executor


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(argv: list[str]) -> int:
    """Serve until a signal comes or the parent is gone; the exit code."""
    host, port, module = argv[1], int(argv[2]), argv[3]
    executor = load_actions(module)
    if executor is None:
        return 1
    threading.Thread(target=_end_with_parent, daemon=True).start()
    app = create_app(executor)
    app.prepare(host=host, port=port, single_process=True, motd=False, access_log=False)
    names = ", ".join(sorted(executor.actions)) or "none"
    sys.stderr.write(f"Actions at http://{host}:{port}/webhook: {names}\n")
    sys.stderr.flush()
    Sanic.serve_single(primary=app)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
