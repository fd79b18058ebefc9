"""Where items come from: a file, standard input, a Redis stream, the agent's own turn log."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from agent.monitor.items import Item, place_of, read_item, read_line
from agent.monitor.patience import patiently
from agent.monitor.pipe import MAX_LINE, WAIT_S, Waiting
from agent.storage.connection import StoreAwayError
from agent.storage.store import Store
from agent.storage.stream_group import Entry, StreamGroup
from agent.turn import now
from knowledge.errors import InputError

BATCH = 256
_BLOCK_MS = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read, and where it stood."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Items read together, what was wrong, and where to go on after them.

    `topics` gives the topics of items that were understood before. An empty batch says that
    nothing has come for a while.
    """

    items: Sequence[Item] = ()
    problems: Sequence[Problem] = ()
    position: str = ""
    entries: Sequence[str] = ()
    topics: Sequence[str | None] = ()


class Source(Protocol):
    """Gives batches; `done` is called for each after its items are kept."""

    @property
    def name(self) -> str:
        """What its position is kept under."""

    def batches(self, position: str) -> AsyncIterator[Batch]:
        """What comes after a position ("" from the beginning)."""

    async def done(self, batch: Batch) -> None:
        """The batch is kept and need not come again."""


@dataclass(slots=True)
class FileSource:
    """JSON lines of a file; the position counts bytes, so that a killed run goes on there.

    Args:
        path: the file.
        follow: whether to wait for lines that are added later.
    """

    path: Path
    follow: bool = False

    @property
    def name(self) -> str:
        """The file's place."""
        return str(self.path.absolute())

    async def batches(self, position: str) -> AsyncIterator[Batch]:
        """Lines after a byte position; a last line without its end is read when it has one.

        Raises:
            InputError: the file cannot be read, or is shorter than it was.
        """
        number, at = _numbers(position)
        before: datetime | None = None
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < at:
                    raise InputError(
                        "is shorter than when it was read; --fresh forgets what was counted",
                        path=self.path,
                    )
                file.seek(at)
                while True:
                    lines = await asyncio.to_thread(_lines, file, wait_for_end=self.follow)
                    if not lines and not self.follow:
                        return
                    if not lines:
                        await asyncio.sleep(WAIT_S)
                    batch = self._read(lines, number, at, before)
                    number, at = number + len(lines), at + sum(map(len, lines))
                    before = batch.items[-1].date if batch.items else before
                    yield Batch(batch.items, batch.problems, f"{number}:{at}")
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"cannot be read: {reason}", path=self.path) from error

    def _read(self, lines: Sequence[bytes], number: int, at: int, before: datetime | None) -> Batch:
        places = []
        for line in lines:
            places.append(place_of(self.name, at))
            at += len(line)
        return _read_lines(lines, places, str(self.path), number, before)

    async def done(self, batch: Batch) -> None:
        """Nothing: the position is kept with the items."""


@dataclass(slots=True)
class PipeSource:
    """JSON lines of standard input; what was read before a kill cannot come again by itself.

    An item with a date, an item's n-th repetition counted, has the same id when the same input
    is piped again, so it is counted once.
    """

    stream: IO[bytes]
    name: str = "standard input"

    async def batches(self, position: str) -> AsyncIterator[Batch]:
        """Lines as they come; an empty batch while none do."""
        started, number = now().isoformat(), 0
        places: list[str]
        before: datetime | None = None
        repeated: dict[bytes, int] = {}
        waiting = Waiting(BATCH)
        waiting.read(self.stream)
        while True:
            lines, ended = await asyncio.to_thread(waiting.collect)
            places = []
            for line in lines:
                repeated[line] = repeated.get(line, 0) + 1
                key = line.decode("utf-8", "replace") if b'"date"' in line else started
                count = repeated[line] if b'"date"' in line else number + len(places)
                places.append(place_of(key, count))
            batch = _read_lines(lines, places, self.name, number, before)
            number += len(lines)
            before = batch.items[-1].date if batch.items else before
            yield batch
            if ended:
                return

    async def done(self, batch: Batch) -> None:
        """Nothing can be told to a pipe."""


@dataclass(slots=True)
class StreamSource:
    """A Redis stream read by a consumer group; entries hold `data` (JSON) or the keys themselves.

    Args:
        group: this reader in its group.
        name: the stream's key.
        once: end when nothing more is there.
    """

    group: StreamGroup
    name: str
    once: bool = False

    async def batches(self, position: str) -> AsyncIterator[Batch]:
        """Entries not done yet, then new ones, for ever; empty batches while none come."""
        patience_s = 0.0 if self.once else float("inf")
        await patiently(self.group.join, patience_s=patience_s)
        while True:
            entries = await patiently(self._read_on, patience_s=patience_s)
            if not entries and self.once:
                return
            yield self._read(entries)

    async def done(self, batch: Batch) -> None:
        """Tell the group; if that fails they come again, and are counted already."""
        try:
            await self.group.done(batch.entries)
        except StoreAwayError:
            self.group.again()

    async def _read_on(self) -> list[Entry]:
        try:
            return await self.group.read(BATCH, block_ms=_BLOCK_MS)
        except StoreAwayError:
            self.group.again()
            raise

    def _read(self, entries: Sequence[Entry]) -> Batch:
        items, problems = [], []
        for at, fields in entries:
            place, added = place_of(self.name, at), datetime.fromtimestamp(_entry_s(at), UTC)
            try:
                if "data" in fields:
                    items.append(read_line(fields["data"], place=place, now=now(), before=added))
                else:
                    items.append(read_item(fields, place=place, now=now(), before=added))
            except InputError as error:
                problems.append(Problem(f"{self.name} {at}", error.message))
        return Batch(items, problems, entries=[at for at, _ in entries])


@dataclass(slots=True)
class TurnSource:
    """The agent's own turn log: what users say, with the intents they were understood as.

    Args:
        store: holds the log.
        once: end when nothing more is there.
    """

    store: Store
    once: bool = False
    name: str = "turns"

    async def batches(self, position: str) -> AsyncIterator[Batch]:
        """Turns after a position, oldest first, for ever; empty batches while none come."""
        while True:
            after = position or None
            turns = await patiently(
                lambda after=after: self.store.turns(limit=BATCH, after=after, newest=False),  # type: ignore[misc]
                patience_s=0.0 if self.once else float("inf"),
            )
            if not turns and self.once:
                return
            if not turns:
                await asyncio.sleep(WAIT_S)
            position = turns[-1]["position"] if turns else position
            yield _read_turns(turns, position)

    async def done(self, batch: Batch) -> None:
        """Nothing: the position is kept with the items."""


def _read_turns(turns: Sequence[dict[str, Any]], position: str) -> Batch:
    items, topics = [], []
    for turn in turns:
        message = turn["message"]
        if not str(message["text"]).strip():
            continue
        intent = (turn.get("understanding") or {}).get("intent") or {}
        date = datetime.fromisoformat(message["received_at"])
        source = str(message.get("channel") or "")
        items.append(Item(f"turn:{turn['id']}", str(message["text"]), date, source))
        topics.append(str(intent.get("name") or "") or None)
    return Batch(items, position=position, topics=topics)


def _read_lines(
    lines: Sequence[bytes],
    places: Sequence[str],
    name: str,
    number: int,
    before: datetime | None,
) -> Batch:
    """The items of some lines; `number` lines stand before them."""
    items: list[Item] = []
    problems = []
    for offset, (line, place) in enumerate(zip(lines, places, strict=True), start=1):
        text = line.decode("utf-8", "replace").strip("\ufeff \t\r\n")
        if not text:
            continue
        try:
            items.append(read_line(text, place=place, now=now(), before=before))
            before = items[-1].date
        except InputError as error:
            problems.append(Problem(f"{name}:{number + offset}", error.message))
    return Batch(items, problems)


def _lines(file: IO[bytes], *, wait_for_end: bool) -> list[bytes]:
    """Up to a batch of whole lines."""
    lines: list[bytes] = []
    while len(lines) < BATCH and (line := file.readline(MAX_LINE)):
        if wait_for_end and not line.endswith(b"\n") and len(line) < MAX_LINE:
            file.seek(-len(line), 1)
            break
        lines.append(line)
    return lines


def _numbers(position: str) -> tuple[int, int]:
    """Lines and bytes read so far."""
    number, _, at = position.partition(":")
    return int(number or 0), int(at or 0)


def _entry_s(at: str) -> float:
    return int(at.partition("-")[0]) / 1000


__all__ = [
    "BATCH",
    "Batch",
    "FileSource",
    "PipeSource",
    "Problem",
    "Source",
    "StreamSource",
    "TurnSource",
]
