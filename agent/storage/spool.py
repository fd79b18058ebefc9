"""A queue on the disk for what must not be lost while Redis is away.

One line an entry: a checksum and JSON. `queue.jsonl` takes new entries; to be written back
it is renamed to a numbered segment, whose entries are written in order. A crash may write a
segment again, which does no harm: every entry has an id and the store takes each id once.
What the store refuses for good goes to `dead.jsonl`.
"""

import asyncio
import logging
import os
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.errors import StoreError
from agent.feedback.correction import Correction
from agent.feedback.correction_json import to_dict
from agent.storage.codec import decode, encode
from agent.storage.connection import StoreAwayError
from agent.storage.files import FileLock, append_line, sync_folder, write_whole
from agent.turn import now

QUEUE, DEAD = "queue.jsonl", "dead.jsonl"
TURN, CORRECTION = "turn", "correction"
LIMIT_BYTES = 1 << 30
DRAIN_S = 30.0
SETTLED_NS = 1_000_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """Something that waits: `kind` says what `record` is, `at` when it happened (UTC)."""

    kind: str
    conversation_id: str | None
    record: Mapping[str, Any]
    at: datetime


class Spool:
    """The queue in a folder, shared by the processes of one machine.

    Args:
        folder: `<project>/.agent/spool`.
        limit_bytes: size at which it takes no more.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        self._empty_at: int | None = None

    def append(
        self, kind: str, record: Mapping[str, Any], *, conversation_id: str | None = None
    ) -> None:
        """Add an entry; when this returns it is on the disk.

        Raises:
            StoreError: the disk is full or not writable, or the spool has reached its limit.
        """
        entry = {
            "kind": kind,
            "conversation_id": conversation_id,
            "at": now().isoformat(),
            "record": dict(record),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.size() > self.limit_bytes:
                raise StoreError(
                    f"Redis is away and the spool {self.folder} has reached "
                    f"{self.limit_bytes >> 20} MiB: bring Redis back"
                )
            with FileLock(self.folder / "append.lock"):
                append_line(self.folder / QUEUE, _line(entry))
        except OSError as error:
            raise StoreError(
                f"Redis is away and {self.folder} cannot be written: {error.strerror}"
            ) from error

    async def add_turn(
        self,
        record: Mapping[str, Any],
        conversation_id: str,
        events: Sequence[Mapping[str, Any]],
        *,
        counters: Mapping[str, int] | None = None,
        at: datetime | None = None,
    ) -> None:
        """Keep a turn that `Store.commit_turn` could not take."""
        fields = turn_fields(record, events, counters or {}, at or now())
        await asyncio.to_thread(self.append, TURN, fields, conversation_id=conversation_id)

    async def add_correction(
        self, correction: Correction, *, expected_revision: int | None = None
    ) -> None:
        """Keep a new correction, or a change of that revision, that the store could not take."""
        fields = {"correction": to_dict(correction), "expected": expected_revision}
        where = correction.conversation_id
        await asyncio.to_thread(self.append, CORRECTION, fields, conversation_id=where)

    def size(self) -> int:
        """Bytes that wait; one `stat` for an empty spool."""
        return sum(path.stat().st_size for path in self._waiting_files())

    def entries(self) -> list[SpoolEntry]:
        """What waits, in order."""
        return [entry for path in self._waiting_files() for entry in _read(path)]

    def dead(self) -> list[SpoolEntry]:
        """What the store refused for good, for a person to look at."""
        return list(_read(self.folder / DEAD))

    async def drain(self, write: Callable[[SpoolEntry], Awaitable[object]]) -> int:
        """Write what waits, in order; each entry is taken off once `write` returned.

        Returns:
            How many entries were written by us.

        Raises:
            StoreAwayError: Redis is away again; what was not written stays.
        """
        if not self._waiting_files():
            return 0
        drains = FileLock(self.folder / "drain.lock")
        if not await asyncio.to_thread(drains.acquire, DRAIN_S):
            raise StoreAwayError(f"another process has drained {self.folder} for {DRAIN_S:.0f} s")
        try:
            self._cut_segment()
            written = 0
            for segment in self._segments():
                written += await self._drain_segment(segment, write)
            return written
        finally:
            drains.release()

    def forget(self, conversation_id: str) -> int:
        """Delete a conversation's waiting and dead entries; how many there were."""
        if not self.folder.is_dir():
            return 0
        with (
            FileLock(self.folder / "drain.lock"),
            FileLock(self.folder / "append.lock"),
        ):
            files = [*self._waiting_files(), self.folder / DEAD]
            return sum(_without(path, conversation_id) for path in files if path.exists())

    async def _drain_segment(
        self, segment: Path, write: Callable[[SpoolEntry], Awaitable[object]]
    ) -> int:
        written = 0
        for entry in _read(segment):
            try:
                await write(entry)
                written += 1
            except StoreAwayError:
                raise
            except StoreError as error:
                _log.error("a spooled %s was refused for good: %s", entry.kind, error)
                append_line(self.folder / DEAD, _line(_as_dict(entry)))
        segment.unlink()
        sync_folder(self.folder)
        return written

    def _cut_segment(self) -> None:
        """Give the queue a number, so that new entries start a new one behind it."""
        with FileLock(self.folder / "append.lock"):
            queue = self.folder / QUEUE
            if queue.exists():
                last = max((int(path.stem) for path in self._segments()), default=0)
                queue.rename(self.folder / f"{max(last + 1, time.time_ns()):020d}.segment")
                sync_folder(self.folder)

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.segment"))

    def _waiting_files(self) -> list[Path]:
        """What waits, in order; a folder that was empty and has not changed is not read again."""
        try:
            changed_at = os.stat(self.folder).st_mtime_ns
        except FileNotFoundError:
            return []
        if changed_at == self._empty_at:
            return []
        queue = self.folder / QUEUE
        found = [*self._segments(), *([queue] if queue.exists() else [])]
        # A folder's time is coarse: one that changed just now may change unseen.
        settled = time.time_ns() - changed_at > SETTLED_NS
        self._empty_at = changed_at if settled and not found else None
        return found


def turn_fields(
    record: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]],
    counters: Mapping[str, int],
    at: datetime,
) -> dict[str, Any]:
    """A turn as an entry's record."""
    return {
        "turn": dict(record),
        "events": [dict(event) for event in events],
        "counters": dict(counters),
        "at": at.isoformat(),
    }


def _line(entry: Mapping[str, Any]) -> str:
    text = encode(entry)
    return f"{zlib.crc32(text.encode('utf-8')):08x} {text}"


def _as_dict(entry: SpoolEntry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "conversation_id": entry.conversation_id,
        "at": entry.at.isoformat(),
        "record": dict(entry.record),
    }


def _read(path: Path) -> Iterator[SpoolEntry]:
    """The sound entries of a file; a torn line was never acknowledged and is left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        if line:
            entry = _parse(line, path)
            if entry is not None:
                yield entry


def _parse(line: bytes, path: Path) -> SpoolEntry | None:
    checksum, _, text = line.partition(b" ")
    if checksum != f"{zlib.crc32(text):08x}".encode():
        _log.warning("a torn line in %s is left out (%d bytes)", path, len(line))
        return None
    data = decode(text.decode("utf-8"), f"an entry of {path}")
    return SpoolEntry(
        data["kind"],
        data["conversation_id"],
        data["record"],
        datetime.fromisoformat(data["at"]),
    )


def _without(path: Path, conversation_id: str) -> int:
    """Rewrite a file without a conversation's entries; how many went."""
    entries = list(_read(path))
    kept = [entry for entry in entries if entry.conversation_id != conversation_id]
    if len(kept) < len(entries):
        write_whole(path, "".join(_line(_as_dict(entry)) + "\n" for entry in kept))
    return len(entries) - len(kept)
