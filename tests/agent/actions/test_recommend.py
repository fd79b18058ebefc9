"""Suggestions in a dialogue: by the message, by facts, about the last one; likings are noted."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.actions.recommend import ACTION_NOTE_ITEM, ACTION_RECOMMEND, RecommendActions
from agent.dialogue.events import UserUttered
from agent.dialogue.tracker import Tracker
from agent.errors import StoreError
from agent.project.types import Domain, Intent
from agent.prompts.templates import load_templates
from agent.recommend.catalogue import Item
from agent.recommend.events import Event
from agent.recommend.recommender import Suggestion
from agent.recommend.wishes import Wishes

DOMAIN = Domain(intents={name: Intent(name) for name in ("ask", "like_item", "dislike_item")})


@dataclass
class Scripted:
    """Suggests two films, and notes what it was asked."""

    wished: list[Wishes] = field(default_factory=list)
    noted: list[Event] = field(default_factory=list)
    error: Exception | None = None

    async def recommend(
        self,
        user: str,
        k: int = 10,
        *,
        wishes: Wishes = Wishes(),  # noqa: B008
    ) -> list[Any]:
        if self.error is not None:
            raise self.error
        self.wished.append(wishes)
        return [
            Suggestion(Item(n, n.title()), 1.0, "because you liked Z") for n in ("alien", 'a"b')
        ]

    async def note(self, events: list[Event]) -> int:
        self.noted += events
        return len(events)

    async def fact_names(self) -> frozenset[str]:
        return frozenset({"genre"})


def heard(text: str, intent: str = "ask", **entities: str) -> Tracker:
    tracker = Tracker("anna", DOMAIN)
    say(tracker, text, intent, **entities)
    return tracker


def say(tracker: Tracker, text: str, intent: str, **entities: str) -> None:
    found = [{"entity": name, "value": value} for name, value in entities.items()]
    parse = {"intent": {"name": intent, "confidence": 1.0}, "entities": found}
    tracker.append(UserUttered(text=text, parse_data=parse))


@pytest.fixture
def suggester() -> Scripted:
    return Scripted()


@pytest.fixture
def actions(suggester: Scripted, tmp_path: Path) -> RecommendActions:
    return RecommendActions(suggester, load_templates(tmp_path), DOMAIN)


async def test_a_suggestion_names_items_with_their_reasons(actions: RecommendActions) -> None:
    result = await actions.run(ACTION_RECOMMEND, heard("what should I watch tonight"))
    assert "1. Alien (because you liked Z)" in (result.replies[0].text or "")
    assert result.replies[0].custom["suggestions"][0]["id"] == "alien"


async def test_items_have_buttons_where_they_can_be_liked(actions: RecommendActions) -> None:
    result = await actions.run(ACTION_RECOMMEND, heard("something"))
    assert [b.payload for b in result.replies[0].buttons] == ['/like_item{"item": "alien"}']


async def test_the_message_is_the_wish_and_its_facts_are_bounds(
    actions: RecommendActions, suggester: Scripted
) -> None:
    await actions.run(ACTION_RECOMMEND, heard("a comedy about two brothers", genre="comedy"))
    assert suggester.wished == [Wishes("a comedy about two brothers", {"genre": "comedy"})]


async def test_the_last_one_is_what_was_suggested_first(
    actions: RecommendActions, suggester: Scripted
) -> None:
    tracker = heard("something")
    for event in (await actions.run(ACTION_RECOMMEND, tracker)).events:
        tracker.append(event)
    say(tracker, "like the last one but shorter", "ask")
    await actions.run(ACTION_RECOMMEND, tracker)
    assert suggester.wished[-1].last == "alien"


@pytest.mark.parametrize(("intent", "kind"), [("like_item", "like"), ("dislike_item", "dislike")])
async def test_what_is_said_of_the_last_one_is_noted(
    actions: RecommendActions, suggester: Scripted, intent: str, kind: str
) -> None:
    tracker = heard("something")
    for event in (await actions.run(ACTION_RECOMMEND, tracker)).events:
        tracker.append(event)
    say(tracker, "not that one", intent)
    await actions.run(ACTION_NOTE_ITEM, tracker)
    assert [(e.user, e.item, e.kind) for e in suggester.noted] == [("anna", "alien", kind)]


async def test_without_a_store_there_is_an_honest_answer(
    actions: RecommendActions, suggester: Scripted
) -> None:
    suggester.error = StoreError("away")
    result = await actions.run(ACTION_RECOMMEND, heard("something"))
    assert result.replies[0].text == "I have nothing to suggest for that."
