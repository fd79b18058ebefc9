"""Stories over checkpoints and `or` steps become scripts."""

from typing import Any
from unittest.mock import patch

from agent.dialogue.events import ActionExecuted, ActiveLoop, SlotSet, UserUttered
from agent.dialogue.expansion import rules_as_scripts, story_scripts
from agent.dialogue.scripts import Script
from agent.project.types import (
    ActionStep,
    BotStep,
    CheckpointStep,
    LoopStep,
    OrStep,
    Rule,
    Slot,
    SlotStep,
    StepEntity,
    Story,
    UserStep,
)
from tests.agent.dialogue.talk import domain, from_entity, rule, steps, story

DOMAIN = domain(
    slots={
        "city": Slot("city", "text", mappings=(from_entity("city"),)),
        "sizes": Slot("sizes", "list", mappings=(from_entity("size"),)),
        "vegan": Slot("vegan", "bool"),
    }
)


def words(script: Script) -> list[str]:
    """The script's events, `?` before intents."""
    said = []
    for event in script.events:
        match event:
            case UserUttered():
                said.append(f"?{event.intent or event.text}")
            case ActionExecuted():
                said.append(event.name or f"'{event.action_text}'")
            case SlotSet():
                said.append(f"{event.name}={event.value}")
            case ActiveLoop():
                said.append(f"loop={event.name}")
    return said


def scripts(*stories: Story, dom: Any = DOMAIN) -> list[list[str]]:
    return [words(script) for script in story_scripts(stories, dom)[0]]


def test_listening_stands_before_each_message_and_at_the_end() -> None:
    assert scripts(story("a", "?greet", "utter_greet")) == [
        ["action_listen", "?greet", "utter_greet", "action_listen"]
    ]


def test_or_steps_give_one_script_for_each_choice() -> None:
    either = OrStep((UserStep("greet"), UserStep("bye")))
    found = scripts(Story("a", (either, ActionStep("utter_greet"), either)))
    assert len(found) == 4
    assert found[2][:5] == ["action_listen", "?bye", "utter_greet", "action_listen", "?greet"]


def test_stories_join_at_checkpoints() -> None:
    start = Story("a", (*steps("?greet", "utter_greet"), CheckpointStep("asked")))
    ends = [
        Story(name, (CheckpointStep("asked"), *steps(intent, action)))
        for name, intent, action in (("b", "?bye", "utter_bye"), ("c", "?stop", "utter_done"))
    ]
    found, notices = story_scripts([start, *ends], DOMAIN)
    assert [script.name for script in found] == ["a > b", "a > c"]
    assert words(found[1])[-4:] == ["action_listen", "?stop", "utter_done", "action_listen"]
    assert notices == ()


def test_a_checkpoints_condition_must_hold() -> None:
    start = Story("a", (*steps("?greet"), SlotStep("vegan", True), CheckpointStep("asked")))
    yes = Story("b", (CheckpointStep("asked", (("vegan", True),)), *steps("?bye", "utter_bye")))
    no = Story("c", (CheckpointStep("asked", (("vegan", False),)), *steps("?bye", "utter_bye")))
    assert [s.name for s in story_scripts([start, yes, no], DOMAIN)[0]] == ["a > b"]


def test_a_circle_of_checkpoints_is_walked_once_more() -> None:
    start = Story("a", (*steps("?greet", "utter_greet"), CheckpointStep("again")))
    circle = Story(
        "b", (CheckpointStep("again"), *steps("?inform", "action_x"), CheckpointStep("again"))
    )
    end = Story("c", (CheckpointStep("again"), *steps("?bye", "utter_bye")))
    found = [words(s).count("?inform") for s in story_scripts([start, circle, end], DOMAIN)[0]]
    assert sorted(found) == [0, 1, 2]


def test_a_checkpoint_in_the_middle_is_an_end_and_a_start() -> None:
    through = Story("a", (*steps("?greet"), CheckpointStep("mid"), *steps("utter_greet")))
    other = Story("b", (*steps("?bye"), CheckpointStep("mid")))
    assert scripts(through, other) == [
        ["action_listen", "?greet", "utter_greet", "action_listen"],
        ["action_listen", "?bye", "utter_greet", "action_listen"],
    ]


def test_checkpoints_without_a_partner_are_named() -> None:
    lonely = [
        Story("a", (*steps("?greet"), CheckpointStep("nowhere"))),
        Story("b", (CheckpointStep("never"), *steps("?bye"))),
    ]
    messages = [notice.message for notice in story_scripts(lonely, DOMAIN)[1]]
    assert any("'nowhere'" in message for message in messages)
    assert any("'never'" in message for message in messages)


def test_entities_fill_the_slots_that_are_mapped_from_them() -> None:
    said = UserStep("inform", (StepEntity("city", "Rome"), StepEntity("size", "XL")))
    assert scripts(Story("a", (said,)))[0] == [
        "action_listen",
        "?inform",
        "city=Rome",
        "sizes=['XL']",
        "action_listen",
    ]
    silent = domain(slots=DOMAIN.slots, store_entities_as_slots=False)
    assert "city=Rome" not in scripts(Story("a", (said,)), dom=silent)[0]


def test_a_slot_named_without_a_value_counts_as_filled() -> None:
    named = Story("a", (SlotStep("city", given=False), SlotStep("sizes", given=False)))
    assert scripts(named)[0][:2] == ["city=filled", "sizes=['filled']"]


def test_a_retrieval_intent_is_known_by_its_name_without_the_key() -> None:
    assert scripts(story("a", "?faq/hours", "utter_faq"))[0][1] == "?faq"


def test_a_rule_begins_with_its_conditions_and_an_open_past() -> None:
    only = Rule(
        "r", steps("?greet", "utter_greet"), conditions=(LoopStep(None), SlotStep("city", None))
    )
    script = rules_as_scripts([only], DOMAIN)[0]
    unset = "should_not_be_set"
    assert words(script) == [
        f"loop={unset}",
        f"city={unset}",
        "...",
        "action_listen",
        "?greet",
        "utter_greet",
        "action_listen",
    ]
    assert script.first_action is script.events[2]


def test_a_rule_that_does_not_wait_ends_open() -> None:
    script = rules_as_scripts(
        [rule("r", "?greet", "utter_greet", wait_for_user_input=False)], DOMAIN
    )
    assert words(script[0])[-3:] == ["utter_greet", "...", "action_listen"]


def test_the_first_action_of_a_story_is_known_not_to_be_predictable() -> None:
    script = story_scripts([Story("a", (BotStep("Hi!"), UserStep("greet")))], DOMAIN)[0][0]
    assert script.first_action is script.events[0]
    assert story_scripts([story("b", "?greet")], DOMAIN)[0][0].first_action is None


def test_of_too_many_choices_some_are_drawn() -> None:
    either = OrStep((UserStep("greet"), UserStep("bye")))
    told = Story("a", (either, ActionStep("utter_greet")) * 40)
    found, (notice,) = story_scripts([told], DOMAIN)
    assert len({tuple(words(script)) for script in found}) == 1024
    assert "1024 of them are kept" in notice.message
    for turn in range(40):
        said = {[e for e in s.events if isinstance(e, UserUttered)][turn].intent for s in found}
        assert said == {"greet", "bye"}


def test_circles_that_never_end_are_left_after_a_while() -> None:
    circles = [
        Story(f"{i}", (CheckpointStep(f"c{i % 5}"), *steps("?greet"), CheckpointStep(f"c{j}")))
        for i, j in ((i, 3 * i % 5) for i in range(60))
    ]
    start = Story("start", (*steps("?bye", "utter_greet"), CheckpointStep("c0")))
    with patch("agent.dialogue.expansion._MAX_STEPS", 500):
        found, notices = story_scripts([start, *circles], DOMAIN)
    assert found == ()
    assert "too many ways" in notices[-1].message


def test_a_long_chain_of_checkpoints_is_walked_to_its_end() -> None:
    chain = [
        Story(f"{i}", (CheckpointStep(f"c{i}"), *steps("?greet"), CheckpointStep(f"c{i + 1}")))
        for i in range(1200)
    ]
    start = Story("start", (*steps("?bye"), CheckpointStep("c0")))
    (script,) = story_scripts([start, *chain], DOMAIN)[0]
    assert len([e for e in script.events if isinstance(e, UserUttered)]) == 1201


def test_a_story_that_only_circles_lead_to_is_told() -> None:
    again = Story("again", (CheckpointStep("a"), *steps("?greet"), CheckpointStep("a")))
    found, (notice,) = story_scripts([again, story("b", "?bye", "utter_greet")], DOMAIN)
    assert len(found) == 1
    assert notice.message == "story 'again' is never reached through its checkpoint"
