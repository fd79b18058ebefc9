"""Where learned recommenders lie: numbered folders, and a pointer to the one that serves."""

import os
import shutil
from pathlib import Path

from agent.errors import AgentError
from agent.recommend.model import Learned
from knowledge.collection import current_folder, generation_folders, write_pointer

FOLDER = Path(".agent") / "recommender"
_KEPT = 3


def current_version(root: Path) -> Path | None:
    """The folder of the recommender that serves, None where none was learned."""
    return current_folder(root / FOLDER)


def publish(root: Path, learned: Learned) -> Path:
    """Write a recommender whole and let it serve from now on; a few older ones are kept.

    Raises:
        AgentError: it cannot be written.
    """
    folder = root / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"partial-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        learned.save(partial)
        numbers = [int(path.name) for path in generation_folders(folder)]
        new = folder / f"{max(numbers, default=0) + 1:04d}"
        partial.rename(new)
        write_pointer(folder, new.name)
        for old in generation_folders(folder)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise AgentError(f"{folder}: {error.strerror or error}") from error
    return new
