"""Entries of the spool, written to Redis as they would have been at once."""

from datetime import datetime

from agent.errors import StoreError
from agent.feedback.correction_json import from_dict
from agent.feedback.records import completed
from agent.storage.corrections import CorrectionShelf
from agent.storage.spool import CORRECTION, TURN, SpoolEntry, turn_fields
from agent.storage.turns import TurnLog
from knowledge.errors import InputError


async def write_entry(entry: SpoolEntry, turns: TurnLog, corrections: CorrectionShelf) -> None:
    """Write one entry; one that was written before does nothing.

    Raises:
        StoreAwayError: Redis is away.
        StoreError: it can never be written.
    """
    record = entry.record
    if entry.kind == TURN:
        await turns.commit(
            record["turn"],
            str(entry.conversation_id),
            record["events"],
            counters=record["counters"],
            at=datetime.fromisoformat(record["at"]),
        )
    elif entry.kind == CORRECTION:
        try:
            correction = from_dict(record["correction"])
            if not correction.text and correction.turn_id:
                correction = completed(correction, await turns.get(correction.turn_id))
        except InputError as error:
            raise StoreError(str(error)) from error
        await corrections.put(correction, expected=record["expected"])
    else:
        raise StoreError(f"unknown kind of spool entry {entry.kind!r}: update intent-agent")


__all__ = ["CORRECTION", "TURN", "turn_fields", "write_entry"]
