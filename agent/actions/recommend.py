"""`action_recommend` and `action_note_item`: suggestions in a dialogue, and likings of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agent.actions.types import ActionResult
from agent.dialogue.events import BotUttered
from agent.dialogue.tracker import Tracker
from agent.errors import AgentError
from agent.project.types import Domain
from agent.prompts.templates import Templates
from agent.recommend.events import Event, Kind
from agent.recommend.wishes import Wishes
from agent.turn import Button, Reply, now

ACTION_RECOMMEND = "action_recommend"
ACTION_NOTE_ITEM = "action_note_item"
ITEM_SLOT = "item"
_COUNT = 3
_SHOWN = "recommended"
# What an intent's name says about an item, the first that fits.
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("dislike", "dislike"),
    ("deny", "dislike"),
    ("like", "like"),
    ("affirm", "like"),
)


class Suggester(Protocol):
    """Suggests items and keeps what people did with them."""

    async def recommend(self, user: str, k: int = 10, *, wishes: Wishes = ...) -> list[Any]:
        """Items for a user, best first, each with its reason."""

    async def note(self, events: list[Event]) -> int:
        """Keep what people did."""

    async def fact_names(self) -> frozenset[str]:
        """The names of the facts that items have."""


@dataclass(frozen=True, slots=True)
class RecommendActions:
    """Runs the two actions; the user is the conversation.

    The message's own meaning is the wish; entities and slots that are named as a fact of the
    items must be as given; "like the last one but shorter" refers to what was suggested first
    the last time, or to the slot `item`.
    """

    suggester: Suggester
    templates: Templates
    domain: Domain

    def knows(self, name: str) -> bool:
        """Whether an action is one of these."""
        return name in (ACTION_RECOMMEND, ACTION_NOTE_ITEM)

    async def run(self, name: str, tracker: Tracker) -> ActionResult:
        """Suggest, or note what was said about an item."""
        if name == ACTION_NOTE_ITEM:
            return await self._note(tracker)
        try:
            wishes = await self._wishes(tracker)
            found = await self.suggester.recommend(tracker.conversation_id, _COUNT, wishes=wishes)
        except AgentError:
            found = []
        rows = [{"title": one.item.title, "reason": one.reason} for one in found]
        prompt = self.templates.render("recommend", suggestions=rows)
        buttons = self._buttons([(one.item.id, one.item.title) for one in found])
        metadata: dict[str, Any] = {
            "utter_action": ACTION_RECOMMEND,
            "prompts": {prompt.name: prompt.version},
            _SHOWN: [one.item.id for one in found],
        }
        custom = {"suggestions": [one.as_json() for one in found]}
        raw = [{"title": b.title, "payload": b.payload} for b in buttons] or None
        event = BotUttered(
            text=prompt.text, data={"buttons": raw, "custom": custom}, metadata=metadata
        )
        reply = Reply(
            tracker.conversation_id,
            text=prompt.text,
            buttons=buttons,
            custom=custom,
            metadata=metadata,
        )
        return ActionResult((event,), (reply,))

    async def _note(self, tracker: Tracker) -> ActionResult:
        message = tracker.latest_message
        item = self._item(tracker)
        intent = (message.intent or "") if message is not None else ""
        kind = next((kind for word, kind in _KINDS if word in intent), None)
        if item is not None and kind is not None:
            await self.suggester.note([Event(tracker.conversation_id, item, kind, now())])
        return ActionResult()

    async def _wishes(self, tracker: Tracker) -> Wishes:
        message = tracker.latest_message
        text = (message.text or "") if message is not None else ""
        known = await self.suggester.fact_names()
        given: dict[str, Any] = {name: tracker.slots.get(name) for name in known}
        if message is not None:
            for entity in message.parse_data.get("entities") or ():
                if entity.get("entity") in known:
                    given[str(entity["entity"])] = entity.get("value")
        facts = {name: str(value) for name, value in given.items() if _says(value)}
        words = "" if text.startswith("/") else _without(text, facts)
        return Wishes(words, facts, self._item(tracker))

    def _item(self, tracker: Tracker) -> str | None:
        """The item that the talk is about: the slot's, else the first that was suggested last."""
        chosen = tracker.slots.get(ITEM_SLOT)
        if chosen:
            return str(chosen)
        for event in reversed(tracker.events):
            shown = event.metadata.get(_SHOWN) if isinstance(event, BotUttered) else None
            if shown:
                return str(shown[0])
        return None

    def _buttons(self, items: list[tuple[str, str]]) -> tuple[Button, ...]:
        """A button an item where the domain has an intent to like one."""
        if "like_item" not in self.domain.intents:
            return ()
        safe = [(name, title) for name, title in items if re.fullmatch(r"[^\"\\{}]+", name)]
        return tuple(Button(title, f'/like_item{{"item": "{name}"}}') for name, title in safe)


def _says(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _without(text: str, facts: Mapping[str, str]) -> str:
    """What a message wishes beyond the facts; a request that names only these wishes no more."""
    rest = text
    for value in facts.values():
        rest = re.sub(re.escape(value), " ", rest, flags=re.IGNORECASE)
    return text if len(rest.split()) > 3 or not facts else ""
