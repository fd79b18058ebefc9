"""Signs that an answer failed or helped, noticed from what users do next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from rapidfuzz import fuzz

from agent.dialogue.names import ACTION_DEFAULT_ASK_AFFIRMATION
from agent.feedback.correction import Trust
from agent.feedback.gaps import unanswered
from agent.turn import FALLBACK_INTENT, OOS_INTENT

SignalKind = Literal["none_of_these", "clarified", "rephrased", "handoff", "given_up", "abandoned"]
KINDS: tuple[SignalKind, ...] = (
    "none_of_these",
    "clarified",
    "rephrased",
    "handoff",
    "given_up",
    "abandoned",
)
_NONE_OF_THESE = ("out_of_scope", "none_of_these", OOS_INTENT, FALLBACK_INTENT)
_HANDOFF = re.compile(
    r"hand_?(off|over)|^(action|utter)_human$"
    r"|(to|with|contact|connect|call|transfer)_(an?_)?(human|person|agent)"
)
# Alike enough to be the same wish in other words, not so alike that it is a slot's new value.
_ALIKE = (55.0, 95.0)
_SOON_S = 120.0
ABANDONED_S = 1800.0
"""Seconds of silence after a failed answer that count as leaving."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What a user's doing says about a turn; `intent` is what a clarification was answered with.

    `handoff`: a person was asked for, and understood; that is no fault of an answer.
    `given_up`: a person had to take over because this turn had no answer.
    """

    kind: SignalKind
    turn_id: str
    conversation_id: str
    trust: Trust
    at: datetime
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What is kept of a conversation's latest turn, to compare the next one with."""

    turn_id: str
    text: str
    at: datetime
    intent: str | None
    failed: bool
    payloads: tuple[str, ...] = ()


def heard(record: Mapping[str, Any]) -> Heard:
    """What is kept of a logged turn; buttons that lead on from anywhere ask nothing of it."""
    asking = [reply for reply in record.get("replies") or () if not reply.get("doors")]
    payloads = tuple(
        str(button.get("payload") or "")
        for reply in asking
        for button in (reply.get("buttons") or ())
    )
    actions = [decision.get("action") for decision in record.get("decisions") or ()]
    message, understood = record["message"], record.get("understanding") or {}
    return Heard(
        turn_id=str(record["id"]),
        text=str(message.get("text") or ""),
        at=datetime.fromisoformat(message["received_at"]),
        intent=(understood.get("intent") or {}).get("name"),
        failed=ACTION_DEFAULT_ASK_AFFIRMATION in actions or unanswered(record),
        payloads=payloads,
    )


def trust_of(record: Mapping[str, Any]) -> Trust:
    """How far the sender of a turn is known; the channel says so in the message's metadata."""
    found = (record["message"].get("metadata") or {}).get("trust")
    return cast(Trust, found) if found in ("signed_in", "reviewer") else "anonymous"


def notice(before: Heard | None, record: Mapping[str, Any]) -> list[Signal]:
    """What a new turn of a conversation says about the one before, and about itself."""
    present = heard(record)
    conversation = str(record["message"].get("conversation_id") or "")
    trust = trust_of(record)
    signals = []
    handed_over = any(is_handoff(str(d.get("action"))) for d in record.get("decisions") or ())
    if handed_over:
        own: SignalKind = "given_up" if present.failed else "handoff"
        signals.append(Signal(own, present.turn_id, conversation, trust, present.at))
    if before is not None:
        kind, intent = _about_the_one_before(before, present, handed_over=handed_over)
        if kind is not None:
            signals.append(Signal(kind, before.turn_id, conversation, trust, present.at, intent))
    return signals


def is_handoff(action: str) -> bool:
    """Whether an action hands over to a person, by its name.

    >>> [is_handoff(name) for name in ("utter_human_handoff", "action_connect_to_agent")]
    [True, True]
    >>> is_handoff("utter_are_you_human")
    False
    """
    return _HANDOFF.search(action) is not None


def _about_the_one_before(
    before: Heard, present: Heard, *, handed_over: bool
) -> tuple[SignalKind | None, str | None]:
    text = present.text.strip()
    if text in before.payloads and before.failed and text.startswith("/"):
        intent = text[1:].partition("{")[0]
        if intent in _NONE_OF_THESE:
            return "none_of_these", None
        return "clarified", intent
    soon = 0 <= (present.at - before.at).total_seconds() <= _SOON_S
    if soon and handed_over and before.failed:
        return "given_up", None
    if not soon or text.startswith("/") or before.text.startswith("/"):
        return None, None
    alike = fuzz.token_sort_ratio(before.text.casefold(), text.casefold())
    if _ALIKE[0] <= alike < _ALIKE[1]:
        return "rephrased", None
    return None, None
