"""Which files of a folder are looked at: none that tools, models and installations left there."""

import os
from collections.abc import Iterator
from pathlib import Path

_PASSED_OVER = {"models", "results", "node_modules", "site-packages", "__pycache__"}


def files_under(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files with one of the suffixes, a folder's own before those of its subfolders, by name.

    Hidden folders, models, results and virtual environments are passed over.
    """
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if _is_searched(Path(place) / name))
        for name in sorted(files):
            path = Path(place) / name
            # A named pipe would keep its reader for ever.
            if name.endswith(suffixes) and not name.startswith(".") and path.is_file():
                yield path


def _is_searched(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name in _PASSED_OVER
    return not hidden and not (folder / "pyvenv.cfg").is_file()
