from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agent.dialogue import Tracker
from agent.dialogue.events import Event, SessionStarted, UserUttered
from agent.dialogue.story_writer import add_to_file, stories_of, story_yaml
from agent.errors import InputError
from agent.project import load_stories
from agent.project.types import Domain, Form, Slot
from tests.agent.dialogue.talk import domain, from_entity, listened, loop, ran, says, slot


def a_domain() -> Domain:
    slots = {
        "city": Slot("city", "text", mappings=(from_entity("city"),)),
        "note": Slot("note", "text", influence_conversation=False),
    }
    return domain(slots=slots, forms=[Form("trip_form", ("city",))])


def marked(intent: str, text: str, *entities: dict[str, Any]) -> UserUttered:
    parse_data = {"intent": {"name": intent}, "entities": list(entities)}
    return UserUttered(text=text, parse_data=parse_data)


ROME = {"entity": "city", "start": 3, "end": 7, "value": "Rome"}
TALK: list[Event] = [
    SessionStarted(),
    listened(),
    marked("order", "book a trip"),
    ran("trip_form"),
    loop("trip_form"),
    slot("requested_slot", "city"),
    listened(),
    marked("inform", "to Rome", ROME),
    slot("city", "Rome"),
    slot("note", "hidden"),
    ran("trip_form"),
    slot("requested_slot", None),
    loop(None),
    ran("utter_done"),
    listened(),
]


def steps(events: list[Event], **more: Any) -> list[dict[str, Any]]:
    (story,) = stories_of("talk", Tracker("c", a_domain(), events), **more)
    found: list[dict[str, Any]] = story["steps"]
    return found


def test_a_test_story_has_every_message_with_its_entities_marked() -> None:
    assert steps(TALK) == [
        {"intent": "order", "user": "book a trip"},
        {"action": "trip_form"},
        {"active_loop": "trip_form"},
        {"slot_was_set": [{"requested_slot": "city"}]},
        {"intent": "inform", "user": "to [Rome](city)"},
        {"slot_was_set": [{"city": "Rome"}]},
        {"action": "trip_form"},
        {"slot_was_set": [{"requested_slot": None}]},
        {"active_loop": None},
        {"action": "utter_done"},
    ]


def test_a_story_to_train_from_knows_a_form_by_its_beginning_and_end() -> None:
    assert steps(TALK, to_train=True) == [
        {"intent": "order"},
        {"action": "trip_form"},
        {"active_loop": "trip_form"},
        {"slot_was_set": [{"city": "Rome"}]},
        {"active_loop": None},
        {"action": "utter_done"},
    ]


@pytest.mark.parametrize(
    ("entity", "text"),
    [
        ({}, "to [Rome](city)"),
        ({"value": "ROM"}, 'to [Rome]{"entity": "city", "value": "ROM"}'),
        ({"role": "to"}, 'to [Rome]{"entity": "city", "role": "to"}'),
        ({"start": None}, "to Rome"),
    ],
)
def test_entities_are_marked_as_in_training_data(entity: dict[str, Any], text: str) -> None:
    (step,) = steps([marked("inform", "to Rome", {**ROME, **entity})])
    assert step["user"] == text


def test_what_a_program_injects_is_told_by_its_intent_alone() -> None:
    (step,) = steps([says("rain", "EXTERNAL: rain", city="Rome")])
    assert step == {"intent": "rain", "entities": [{"city": "Rome"}]}


def test_actions_that_go_beyond_rasa_are_not_told() -> None:
    again = ran("trip_form", policy="Repair")
    events = [says("chitchat"), ran("action_default_fallback"), again, listened()]
    assert [next(iter(s.values())) for s in steps(events)] == [
        "chitchat",
        "action_default_fallback",
    ]


def test_only_the_latest_session_is_told_unless_all_are_wanted() -> None:
    events = [SessionStarted(), says("greet"), SessionStarted(), says("bye")]
    assert [s["intent"] for s in steps(events)] == ["bye"]
    both = stories_of("talk", Tracker("c", a_domain(), events), all_sessions=True)
    assert [story["story"] for story in both] == ["talk, story 1", "talk, story 2"]
    assert not stories_of("talk", Tracker("c", a_domain(), [SessionStarted()]))


def test_what_is_written_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "test_talk.yml"
    path.write_text(story_yaml("talk", Tracker("c", a_domain(), TALK)), "utf-8")
    (story,), _ = load_stories(path)
    assert [step.kind for step in story.steps].count("user") == 2


def test_a_story_joins_those_in_a_file_or_takes_the_place_of_its_namesake(tmp_path: Path) -> None:
    path = tmp_path / "new" / "test_talk.yml"
    for name in ("a", "b", "a"):
        add_to_file(path, [{"story": name, "steps": [{"intent": "greet", "user": "你好 👋"}]}])
    data = YAML(typ="safe").load(path.read_text("utf-8"))
    assert [story["story"] for story in data["stories"]] == ["b", "a"]
    assert data["stories"][0]["steps"][0]["user"] == "你好 👋"


@pytest.mark.parametrize("text", ["- a list", "stories: 5", "stories: [", "nothing"])
def test_a_file_that_holds_no_stories_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "test_talk.yml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"test_talk\.yml"):
        add_to_file(path, [{"story": "a", "steps": []}])
    assert path.read_text() == text
