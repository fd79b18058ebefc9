"""A project's store and serving model as one file, and back, from any Redis into any other."""

import io
import json
import os
import shutil
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from agent.errors import InputError, StoreError
from agent.registry import POINTER, VERSION_NAME
from agent.storage.files import write_whole
from agent.storage.store import Store
from agent.turn import now

FORMAT = 1
_MANIFEST, _KEYS = "backup.json", "store.jsonl"
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """What a backup holds: keys of the store, and model folders by name."""

    keys: int
    models: tuple[str, ...]


async def back_up(store: Store, root: Path, target: Path, *, replace: bool = False) -> Kept:
    """Write a backup that only its owner can read; it has its name when it is whole.

    Servers may run meanwhile: what they write while it is made may or may not be in it. The
    spool is drained first. Models that do not serve are left out.

    Args:
        store: what is kept.
        root: the project's folder.
        target: the file to write.
        replace: whether a file of that name may be there already.

    Raises:
        InputError: there is such a file already.
        StoreAwayError: Redis is away.
        StoreError: the disk refuses.
    """
    if target.exists() and not replace:
        raise InputError("there is such a file already: --force replaces it", path=target)
    await store.drain()
    lines = [json.dumps(entry) async for entry in _entries(store)]
    models = _served(root)
    manifest = {"format": FORMAT, "at": now().isoformat(), "keys": len(lines), "models": models}
    temporary = target.with_name(f".{target.name}.part")
    try:
        with _private(temporary) as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            _add(archive, _MANIFEST, json.dumps(manifest))
            _add(archive, _KEYS, "\n".join(lines))
            for name in models:
                archive.add(root / "models" / name, arcname=f"models/{name}")
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error
    return Kept(len(lines), tuple(models))


async def restore(store: Store, root: Path, source: Path, *, replace: bool = False) -> Kept:
    """Put a backup into a project's store and models; its production model serves then.

    Raises:
        InputError: the file is no backup, or the store holds something and `replace` is false.
        StoreAwayError: Redis is away.
    """
    try:
        with tarfile.open(source, "r:gz") as archive:
            manifest = json.loads(_read(archive, _MANIFEST))
            if manifest.get("format") != FORMAT:
                raise InputError(
                    f"has format {manifest.get('format')!r}, this version reads {FORMAT}",
                    path=source,
                )
            entries = [json.loads(line) for line in _read(archive, _KEYS).splitlines()]
            if len(entries) != manifest["keys"]:
                raise InputError("is truncated: take another backup", path=source)
            await _empty(store, replace)
            models = _extract_models(archive, manifest["models"], root)
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(f"is no backup that can be read: {error}", path=source) from error
    for entry in entries:
        await _write(store, entry)
    if models:
        write_whole(root / "models" / POINTER, models[0] + "\n")
    return Kept(len(entries), tuple(models))


async def _entries(store: Store) -> AsyncIterator[dict[str, Any]]:
    """Every key that is not about a running process, with its type, value and lifetime."""
    base = store.keys.everything().removesuffix("*")
    pattern = base.replace("[", r"\[").replace("]", r"\]") + "*"
    names = await store.connection.run(lambda c: _names(c, pattern))
    for name in sorted(names):
        suffix = name.removeprefix(base)
        if suffix.startswith(("session:", "worker")) or suffix.endswith((":lock", ":fence")):
            continue
        entry = await store.connection.run(partial(_entry, name=name))
        if entry is not None:
            yield {"name": suffix, **entry}


async def _names(client: Any, pattern: str) -> set[str]:
    return {name async for name in client.scan_iter(match=pattern, count=_PAGE)}


async def _entry(client: Any, name: str) -> dict[str, Any] | None:
    kind, lifetime_ms = await client.type(name), await client.pttl(name)
    readers: dict[str, Callable[[], Awaitable[Any]]] = {
        "string": lambda: client.get(name),
        "hash": lambda: client.hgetall(name),
        "list": lambda: client.lrange(name, 0, -1),
        "set": lambda: _sorted(client.smembers(name)),
        "zset": lambda: client.zrange(name, 0, -1, withscores=True),
        "stream": lambda: client.xrange(name),
    }
    if kind not in readers:  # it ran out in between
        return None
    value = await readers[kind]()
    return {"kind": kind, "value": value, "ttl_ms": lifetime_ms if lifetime_ms > 0 else None}


async def _sorted(members: Any) -> list[str]:
    return sorted(await members)


async def _write(store: Store, entry: Mapping[str, Any]) -> None:
    name = store.keys.everything().removesuffix("*") + entry["name"]

    async def write(client: Any) -> None:
        pipeline = client.pipeline(transaction=True)
        pipeline.delete(name)
        _put(pipeline, name, entry["kind"], entry["value"])
        if entry["ttl_ms"]:
            pipeline.pexpire(name, entry["ttl_ms"])
        await pipeline.execute()

    await store.connection.run(write)


def _put(pipeline: Any, name: str, kind: str, value: Any) -> None:
    """Write a value of a kind; an empty one leaves no key."""
    if kind == "string":
        pipeline.set(name, value)
    elif kind == "hash" and value:
        pipeline.hset(name, mapping=value)
    elif kind == "list" and value:
        pipeline.rpush(name, *value)
    elif kind == "set" and value:
        pipeline.sadd(name, *value)
    elif kind == "zset" and value:
        pipeline.zadd(name, dict(value))
    elif kind == "stream":
        for position, fields in value:
            pipeline.xadd(name, fields, id=position)


async def _empty(store: Store, replace: bool) -> None:
    """Make room for a backup.

    Raises:
        InputError: the store holds something that may not be replaced.
    """
    pattern = store.keys.everything()
    names = await store.connection.run(lambda c: _names(c, pattern))
    own = {name for name in names if not name.endswith((":lock", ":fence"))}
    if own and not replace:
        raise InputError(
            f"the store holds {len(own)} keys of this project: add --replace to put the backup "
            "in their place"
        )
    for name in own:
        await store.connection.run(partial(_delete, name=name))


async def _delete(client: Any, name: str) -> None:
    await client.delete(name)


def _served(root: Path) -> list[str]:
    """The model in production, if there is one."""
    with suppress(FileNotFoundError):
        name = (root / "models" / POINTER).read_text("utf-8").strip()
        if VERSION_NAME.fullmatch(name) and (root / "models" / name).is_dir():
            return [name]
    return []


def _extract_models(archive: tarfile.TarFile, names: list[str], root: Path) -> list[str]:
    """Bring the model folders to their place, each whole or not at all."""
    for name in names:
        if not VERSION_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no model's name")
        target = root / "models" / name
        if target.is_dir():
            continue
        temporary = root / "models" / f".restore-{name}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        members = [m for m in archive.getmembers() if m.name.startswith(f"models/{name}/")]
        archive.extractall(temporary, members, filter="data")
        (temporary / "models" / name).rename(target)
        shutil.rmtree(temporary, ignore_errors=True)
    return names


def _private(path: Path) -> BinaryIO:
    """A new file that only its owner reads; what a killed run left behind goes."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def _read(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is missing")
    return file.read().decode("utf-8", "surrogatepass")
