import asyncio
from pathlib import Path
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.knowledge_base.actions import ActionQueryKnowledgeBase

from agent.actions.facts_base import FactsKnowledgeBase


@pytest.fixture
def action(tmp_path: Path) -> ActionQueryKnowledgeBase:
    (tmp_path / "hotel.csv").write_text("name,city,breakfast\nRitz,Paris,yes\nIbis,Rome,no\n")
    return ActionQueryKnowledgeBase(FactsKnowledgeBase(tmp_path))


def ask(
    action: ActionQueryKnowledgeBase, *entities: str, **slots: Any
) -> tuple[list[str], dict[str, Any]]:
    message = {"entities": [{"entity": name, "value": slots.get(name)} for name in entities]}
    tracker = Tracker("c", slots, message, [], False, None, {}, "action_listen")
    dispatcher = CollectingDispatcher()
    events = asyncio.run(action.run(dispatcher, tracker, {}))
    return [m["text"] for m in dispatcher.messages], {e["name"]: e["value"] for e in events}


def test_rasa_s_action_lists_the_objects_of_a_table(action: ActionQueryKnowledgeBase) -> None:
    said, slots = ask(action, object_type="hotel", city="Rome")
    assert said[-1].endswith("Ibis")
    assert slots["knowledge_base_listed_objects"] == [1]


def test_rasa_s_action_tells_an_object_s_attribute(action: ActionQueryKnowledgeBase) -> None:
    slots = {"object_type": "hotel", "attribute": "breakfast", "hotel": "Ritz"}
    said, _ = ask(action, "attribute", "hotel", **slots)
    assert said == ["'Ritz' has the value 'yes' for attribute 'breakfast'."]
