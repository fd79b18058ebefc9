"""Chooses a response's variation and turns it into a reply and its event, as Rasa does."""

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.dialogue.events import BotUttered
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain, ResponseVariation
from agent.prompts.interpolation import fill
from agent.turn import Button, Reply

Draft = dict[str, Any]
_log = logging.getLogger(__name__)
# What a bot event keeps under `data`; everything else of a draft is its metadata.
_DATA_KEYS = ("elements", "quick_replies", "buttons", "attachment", "image", "custom")
_FILLED_KEYS = ("text", "image", "custom", "buttons", "attachment", "quick_replies")


@dataclass(frozen=True, slots=True)
class Utterance:
    """One message of the assistant: the event for the tracker and, unless empty, the reply."""

    event: BotUttered
    reply: Reply | None


class ResponseSource(Protocol):
    """Drafts named responses: from the domain, or from an external NLG server."""

    async def draft(
        self, name: str, tracker: Tracker, *, channel: str, arguments: Mapping[str, Any]
    ) -> Draft | None:
        """The message for `name` in Rasa's shape; None when there is nothing to say."""


class DomainResponses:
    """Drafts responses from the domain's variations.

    Args:
        domain: its responses, and the slots that placeholders may name.
        rng: chooses among the variations that match.
    """

    def __init__(self, domain: Domain, rng: random.Random | None = None) -> None:
        self._domain = domain
        self._rng = rng or random.Random()  # noqa: S311 - which wording is said is no secret
        # Slots that were never set are placeholders, too: they read `None`.
        self._unset = dict.fromkeys((*domain.slots, "requested_slot", "session_started_metadata"))

    async def draft(
        self, name: str, tracker: Tracker, *, channel: str, arguments: Mapping[str, Any]
    ) -> Draft | None:
        """The message for `name` with its placeholders filled; None if no variation matches."""
        slots = {**self._unset, **tracker.slots}
        variation = choose_variation(
            self._domain.responses.get(name, ()), slots, channel=channel, rng=self._rng
        )
        if variation is None:
            return None
        return fill_draft(draft_of(variation), {**slots, **arguments})


def choose_variation(
    variations: Sequence[ResponseVariation],
    slots: Mapping[str, Any],
    *,
    channel: str,
    rng: random.Random,
) -> ResponseVariation | None:
    """One of the variations that fit, at random; None if none does.

    In this order, the first group that is not empty is drawn from: conditions hold and the
    channel is this one; no conditions, this channel; conditions hold, no channel; neither.
    """
    holding = [v for v in variations if v.conditions and conditions_hold(v.conditions, slots)]
    plain = [v for v in variations if not v.conditions]
    for group, wanted in ((holding, channel), (plain, channel), (holding, None), (plain, None)):
        fitting = [v for v in group if v.channel == wanted]
        if fitting:
            return rng.choice(fitting)
    return None


def conditions_hold(conditions: Sequence[tuple[str, Any]], slots: Mapping[str, Any]) -> bool:
    """Whether every slot has the value that is asked for; strings are compared without case."""
    return all(_same(slots.get(name), value) for name, value in conditions)


def _same(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, str) and isinstance(wanted, str):
        return actual.casefold() == wanted.casefold()
    return bool(actual == wanted)


def draft_of(variation: ResponseVariation) -> Draft:
    """A variation in Rasa's message shape, with the keys that it has."""
    values = {
        "text": variation.text,
        "image": variation.image,
        "custom": variation.custom,
        "buttons": [dict(b) for b in variation.buttons],
        "quick_replies": [dict(q) for q in variation.quick_replies],
        "attachment": variation.attachment,
        "elements": list(variation.elements),
        "button_type": variation.button_type,
        "channel": variation.channel,
        "metadata": dict(variation.metadata),
        "id": variation.id,
        "condition": [
            {"type": "slot", "name": name, "value": value} for name, value in variation.conditions
        ],
    }
    return {key: value for key, value in values.items() if value or value == ""}


def fill_draft(draft: Draft, values: Mapping[str, Any]) -> Draft:
    """The draft with the placeholders of its texts, buttons, image, custom parts filled."""
    return {k: fill(v, values) if k in _FILLED_KEYS else v for k, v in draft.items()}


def utterance(draft: Mapping[str, Any], recipient: str) -> Utterance:
    """A draft as event and reply; a draft that says nothing has no reply.

    As in Rasa, an image stands in for a missing attachment in the event's data, and keys
    that are no part of a message are the event's metadata.
    """
    parts = {key: draft.get(key) or None for key in _DATA_KEYS}
    text = None if draft.get("text") is None else str(draft["text"])
    metadata = {k: v for k, v in draft.items() if k not in _DATA_KEYS and k != "text"}
    event = BotUttered(
        text=text,
        data={**parts, "attachment": parts["attachment"] or parts["image"]},
        metadata=metadata,
    )
    reply = Reply(
        recipient=recipient,
        text=text,
        buttons=_buttons(parts["quick_replies"] or parts["buttons"] or ()),
        image=None if parts["image"] is None else str(parts["image"]),
        attachment=parts["attachment"],
        custom=parts["custom"],
        elements=tuple(parts["elements"] or ()),
        metadata=metadata,
    )
    return Utterance(event, reply if _says_something(reply) else None)


def _buttons(raw: Sequence[Any]) -> tuple[Button, ...]:
    buttons = []
    for item in raw:
        if not isinstance(item, Mapping):
            _log.warning("a button must be a mapping with a title, got %r: left out", item)
            continue
        title = item.get("title")
        payload = next((item[k] for k in ("payload", "url") if item.get(k) is not None), title)
        extra = {key: value for key, value in item.items() if key not in ("title", "payload")}
        buttons.append(Button(str(title or payload or ""), str(payload or ""), extra))
    return tuple(buttons)


def _says_something(reply: Reply) -> bool:
    return any(
        (reply.text, reply.buttons, reply.image, reply.attachment, reply.custom, reply.elements)
    )
