"""Where things of this user and of this installation lie on the disk."""

import importlib.util
import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """The per-user data folder: `INTENT_AGENT_HOME`, else the platform's own place.

    The folder need not exist yet; who writes makes it.
    """
    override = os.environ.get("INTENT_AGENT_HOME")
    if override:
        return Path(override).expanduser().absolute()
    return platformdirs.user_data_path("intent-agent", appauthor=False)


def config_dir() -> Path:
    """The data folder `config`: inside the installed package, else beside the source rooms.

    Found without importing the `agent` package, so that every room can use it.
    """
    spec = importlib.util.find_spec("agent")
    for package in (spec.submodule_search_locations or []) if spec else []:
        packaged = Path(package) / "_config"
        if packaged.is_dir():
            return packaged
    return Path(__file__).resolve().parent.parent / "config"
