"""A model folder on the disk: sealed with checksums, verified, put in place in one step."""

import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import ModelError
from agent.storage.files import sync_folder, write_whole
from agent.turn import now

FORMAT = 1
MANIFEST = "manifest.json"
TEMPORARY = ".new-"
_SET_ASIDE = "old"
_LEFTOVER_S = 24 * 3600


def temporary_in(folder: Path) -> Path:
    """A new empty folder in `folder` to build a model in, on the disk where it will stay.

    Those that a crash left there more than a day ago are removed.
    """
    for left in folder.glob(f"{TEMPORARY}*"):
        if time.time() - _touched(left) > _LEFTOVER_S and not (left / _SET_ASIDE).exists():
            shutil.rmtree(left, ignore_errors=True)
    path = folder / f"{TEMPORARY}{now():%Y%m%dT%H%M%SZ}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise ModelError(f"cannot make {path}: {error.strerror}") from error
    return path


def install(folder: Path, manifest: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Seal a folder made by `temporary_in(out.parent)` and put it in the place of `out`.

    Returns:
        The manifest as written.

    Raises:
        ModelError: `out` is there, not empty and no model folder.
    """
    refuse_foreign(out)
    created = now()
    sealed = seal(folder, {**manifest, "id": out.name, "created_at": created.isoformat()})
    old = temporary_in(out.parent)
    if out.exists():
        out.rename(old / _SET_ASIDE)
    folder.rename(out)
    sync_folder(out.parent)
    shutil.rmtree(old, ignore_errors=True)
    return sealed


def _touched(path: Path) -> float:
    """When anything in a folder last changed, in seconds since the epoch."""
    try:
        return max(inner.lstat().st_mtime for inner in (path, *path.rglob("*")))
    except FileNotFoundError:
        return time.time()  # somebody is at work in it


def refuse_foreign(out: Path) -> None:
    """Raise ModelError if `out` is there and is neither empty nor a model folder."""
    if out.is_dir() and ((out / MANIFEST).is_file() or not any(out.iterdir())):
        return
    if out.exists():
        raise ModelError(f"{out} is there and is no model folder: choose another --out")


def seal(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write manifest.json with the size and SHA-256 of every file, and wait for the disk.

    Returns:
        The manifest as written.

    Raises:
        ModelError: the folder is empty or holds a link.
    """
    files = {}
    for path in _files(folder):
        _sync(path)
        files[path.relative_to(folder).as_posix()] = {
            "sha256": _sha256(path),
            "bytes": path.stat().st_size,
        }
    if not files:
        raise ModelError(f"{folder} holds no file: there is no model to publish")
    sealed: dict[str, Any] = {"parent": None, **manifest, "format": FORMAT, "files": files}
    text = json.dumps(sealed, ensure_ascii=False, indent=1, sort_keys=True)
    write_whole(folder / MANIFEST, text + "\n")
    for path in sorted({path.parent for path in _files(folder)}):
        sync_folder(path)
    return sealed


def verify(folder: Path, names: Collection[str] | None = None) -> dict[str, Any]:
    """The manifest of a model folder whose files are as published.

    Every file's presence and size are checked; contents only of `names` (None: of all).

    Raises:
        ModelError: names the first file that is missing, truncated or changed.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest["files"].items():
        path = folder / name
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unsound(folder, f"{name} is missing") from error
        if size < expected["bytes"]:
            raise _unsound(folder, f"{name} is truncated ({size} of {expected['bytes']} bytes)")
        if size > expected["bytes"]:
            raise _unsound(folder, f"{name} was changed ({size}, not {expected['bytes']} bytes)")
        if (names is None or name in names) and _sha256(path) != expected["sha256"]:
            raise _unsound(folder, f"{name} was changed (its SHA-256 differs)")
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder.

    Raises:
        ModelError: no manifest, a damaged one, or one of a newer format.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}: run `agent train`")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder} has no {MANIFEST}: it is no finished model folder") from error
    except (OSError, ValueError) as error:
        raise _unsound(folder, f"{MANIFEST} cannot be read ({error})") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise _unsound(folder, f"{MANIFEST} names no files")
    version = manifest.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise ModelError(
            f"{folder} has format {version!r}, this version reads up to {FORMAT}: update "
            "intent-agent, or train again"
        )
    return _checked_files(folder, manifest)


def hash_files(folder: Path) -> str:
    """One SHA-256 over the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{_sha256(path)}\n".encode())
    return digest.hexdigest()


def _checked_files(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest if its file list is sound and stays inside the folder."""
    for name, expected in manifest["files"].items():
        parts = Path(name).parts
        sound = isinstance(expected, dict) and isinstance(expected.get("bytes"), int)
        if not sound or Path(name).is_absolute() or ".." in parts:
            raise _unsound(folder, f"{MANIFEST} has a bad entry for {name!r}")
    return manifest


def _files(folder: Path) -> Sequence[Path]:
    """The regular files below a folder but the manifest, sorted by name.

    Raises:
        ModelError: there is a link, which could lead out of the folder.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ModelError(f"{path} is a link: a model folder holds plain files only")
        if path.is_file() and path != folder / MANIFEST:
            found.append(path)
    return found


def _unsound(folder: Path, what: str) -> ModelError:
    earlier = "run `agent models rollback` to serve the version before, or " * _has_others(folder)
    return ModelError(f"{folder}: {what}; {earlier}run `agent train` to make a new one")


def _has_others(folder: Path) -> bool:
    """Whether a registry holds another model beside this one."""
    if not (folder.parent / "history.jsonl").is_file():
        return False
    return any(path.parent != folder for path in folder.parent.glob(f"*/{MANIFEST}"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
