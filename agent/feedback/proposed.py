"""What a language model proposed for a logged message, as a wish that a reviewer decides on."""

from collections.abc import Mapping
from typing import Any

from agent.feedback.queue_item import LANGUAGE_MODEL, Asked
from agent.project.types import EntityAnnotation


def proposed(record: Mapping[str, Any]) -> tuple[Asked, ...]:
    """The wish of a turn's proposal; none without one, or where nothing was found to fit."""
    proposal = (record.get("understanding") or {}).get("proposal") or {}
    if not proposal.get("intent"):
        return ()
    text = str(record["message"]["text"])
    entities = tuple(
        EntityAnnotation(
            int(one["start"]), int(one["end"]), str(one["entity"]), value=str(one["value"])
        )
        for one in proposal.get("entities") or ()
    )
    return (
        Asked(
            f"proposed:{record['id']}"[:64],
            text,
            LANGUAGE_MODEL,
            "anonymous",
            str(proposal["intent"]),
            entities or None,
            reason=f"proposed by the language model, trust {float(proposal['trust']):.2f}",
        ),
    )


def with_proposed(asked: tuple[Asked, ...], record: Mapping[str, Any]) -> tuple[Asked, ...]:
    """The wishes with the turn's proposal in place of an earlier one."""
    new = proposed(record)
    kept = tuple(one for one in asked if one.author != LANGUAGE_MODEL) if new else asked
    return (*kept, *new)
