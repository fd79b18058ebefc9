"""Corrections in Redis: a hash each, a set for each state, a stream of the changes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.errors import StoreError
from agent.feedback.correction import STATES, Correction, State
from agent.feedback.correction_json import from_dict, to_dict
from agent.storage.codec import decode, encode, storable
from agent.storage.connection import Connection
from agent.storage.keys import Keys, Lifetimes
from agent.storage.scripts import BEFORE, CONFLICT, DONE, FORGOTTEN, PUT_CORRECTION
from agent.turn import now

START = "0-0"
_READ = ("data", "entry")


class ConflictError(StoreError):
    """Somebody else changed the correction in the meantime."""


@dataclass(frozen=True, slots=True)
class CorrectionChange:
    """An entry of the log: `correction` is its present value, None once it was forgotten."""

    position: str
    correction_id: str
    state: str
    correction: Correction | None


class CorrectionShelf:
    """Reads and writes corrections; each write is one step with its mark (the revision)."""

    def __init__(self, connection: Connection, keys: Keys, lifetimes: Lifetimes) -> None:
        self._connection, self._keys, self._lifetimes = connection, keys, lifetimes

    async def put(self, correction: Correction, *, expected: int | None) -> bool:
        """Write a correction: a new one (`expected` None) or over that revision.

        Returns:
            False if it was written before (the id, or the same revision, is there) or its
            conversation was forgotten since.

        Raises:
            ConflictError: the stored revision is another one, or the correction is unknown.
        """
        names, values = self._arguments(correction, expected)
        done, seen = await self._connection.run(
            lambda c: c.eval(PUT_CORRECTION, len(names), *names, *values)
        )
        if done in (DONE, BEFORE, FORGOTTEN):
            return bool(done == DONE)
        if done == CONFLICT:
            raise ConflictError(
                f"correction {correction.id} was changed by somebody else (revision {seen}, "
                f"expected {expected}): look at it again"
            )
        raise ConflictError(f"no correction {correction.id!r}")

    def _arguments(
        self, correction: Correction, expected: int | None
    ) -> tuple[list[str], list[Any]]:
        """The KEYS and ARGV of PUT_CORRECTION."""
        keys, conversation = self._keys, correction.conversation_id or ""
        names = [
            keys.correction(correction.id),
            keys.correction_log,
            keys.conversation_corrections(conversation),
            keys.forgotten(conversation),
            keys.counters(now().date().isoformat()),
            *(keys.corrections(state) for state in STATES),
        ]
        values = [
            correction.id,
            correction.state,
            "" if expected is None else expected,
            correction.revision,
            encode(to_dict(correction)),
            correction.created_at.timestamp(),
            storable(conversation),
            self._lifetimes.correction_log_length,
            self._lifetimes.counters_s,
            *STATES,
        ]
        return names, values

    async def get(self, correction_id: str) -> Correction | None:
        """One correction, None if there is none."""
        name = self._keys.correction(correction_id)
        found = await self._connection.run(lambda c: c.hmget(name, _READ))
        return _parse(found, correction_id)

    async def many(
        self,
        state: State | None,
        *,
        offset: int = 0,
        limit: int | None = None,
        newest: bool = False,
    ) -> list[Correction]:
        """The corrections in a state (None: in any), oldest first unless `newest`."""
        states = STATES if state is None else (state,)
        ids: list[tuple[str, float]] = []
        stop = -1 if limit is None else offset + limit - 1
        for one in states:
            ids += await self._listed(one, stop, newest)
        ids.sort(key=lambda item: (item[1], item[0]), reverse=newest)
        end = None if limit is None else offset + limit
        return await self.of([one for one, _ in ids[offset:end]])

    async def count(self) -> dict[str, int]:
        """How many corrections are in each state."""
        return {state: len(await self._listed(state, -1, False)) for state in STATES}

    async def _listed(self, state: State, stop: int, newest: bool) -> list[tuple[str, float]]:
        """Ids with creation times of a state's first (or latest) corrections, up to `stop`."""
        name = self._keys.corrections(state)
        found: list[tuple[str, float]] = await self._connection.run(
            lambda c: c.zrange(name, 0, stop, desc=newest, withscores=True)
        )
        return found

    async def position(self) -> str:
        """The log's last entry: what `changes` has to start after to see all that comes."""
        name = self._keys.correction_log
        last = await self._connection.run(lambda c: c.xrevrange(name, count=1))
        return str(last[0][0]) if last else START

    async def changes(self, after: str, *, count: int = 100) -> list[CorrectionChange]:
        """The changes after a position, at most `count`, without waiting."""
        name = self._keys.correction_log
        answer = await self._connection.run(lambda c: c.xread({name: after}, count=count))
        entries = _entries(answer)
        found = await self._fetch_all([fields["correction"] for _, fields in entries])
        return [
            CorrectionChange(position, fields["correction"], fields["state"], correction)
            for (position, fields), correction in zip(entries, found, strict=True)
        ]

    async def of(self, ids: Sequence[str]) -> list[Correction]:
        """The corrections of these ids that there are, in their order."""
        return [one for one in await self._fetch_all(ids) if one is not None]

    async def _fetch_all(self, ids: Sequence[str]) -> list[Correction | None]:
        """The corrections of these ids, in their order, in one round trip a hundred."""
        found: list[Correction | None] = []
        for begin in range(0, len(ids), 100):
            part = ids[begin : begin + 100]

            async def read(client: Any, part: Sequence[str] = part) -> list[Sequence[str | None]]:
                pipeline = client.pipeline(transaction=False)
                for one in part:
                    pipeline.hmget(self._keys.correction(one), _READ)
                return list(await pipeline.execute())

            rows = await self._connection.run(read)
            found += [_parse(row, one) for one, row in zip(part, rows, strict=True)]
        return found


def _parse(found: Sequence[str | None], correction_id: str) -> Correction | None:
    """A correction from the fields that are read of it, None where there are none."""
    data, entry = found
    if data is None:
        return None
    return replace(from_dict(decode(data, f"correction {correction_id}")), entry=entry)


def _entries(answer: Any) -> list[tuple[str, dict[str, str]]]:
    """The entries of the one stream in an answer of XREAD."""
    return [(position, fields) for position, fields in answer[0][1]] if answer else []
