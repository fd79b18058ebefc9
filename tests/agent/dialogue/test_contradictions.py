"""What `agent validate` says about rules: contradictions, gaps, too many messages."""

from agent.dialogue import find_contradictions
from agent.project.types import ActionStep, Form, LoopStep, Place, Rule, Slot, SlotStep, Story
from tests.agent.dialogue.talk import domain, project, rule, steps, story

DOMAIN = domain(
    slots={"city": Slot("city", "text")},
    forms=[Form("pizza_form", ("city",))],
    actions=["action_x"],
)


def messages(
    *, rules: list[Rule], stories: list[Story] | None = None, **config: object
) -> list[str]:
    given = project(DOMAIN, rules=rules, stories=stories or [], **config)
    return [n.message for n in find_contradictions(given) if n.level == "error"]


def test_a_project_in_harmony_has_nothing_to_report() -> None:
    hi = rule("hi", "?greet", "utter_greet")
    assert (
        messages(rules=[hi], stories=[story("a", "?greet", "utter_greet", "?bye", "utter_bye")])
        == []
    )


def test_a_story_that_contradicts_a_rule_is_named_with_both_actions() -> None:
    found = messages(
        rules=[rule("hi", "?greet", "utter_greet")], stories=[story("other", "?greet", "utter_bye")]
    )
    assert len(found) == 1
    assert all(word in found[0] for word in ("'other'", "'hi'", "'utter_bye'", "'utter_greet'"))


def test_two_rules_that_disagree_are_both_named() -> None:
    found = messages(rules=[rule("a", "?greet", "utter_greet"), rule("b", "?greet", "utter_bye")])
    assert any("'a'" in message and "'b'" in message for message in found)


def test_a_contradiction_with_a_built_in_intent_is_named() -> None:
    found = messages(rules=[], stories=[story("mine", "?restart", "utter_greet")])
    assert found == []
    found = messages(rules=[rule("mine", "?restart", "utter_greet")])
    assert any("built-in rule for the intent 'restart'" in message for message in found)


def test_a_contradiction_carries_its_place() -> None:
    placed = Story("other", steps("?greet", "utter_bye"), Place("data/stories.yml", 7))
    given = project(DOMAIN, rules=[rule("hi", "?greet", "utter_greet")], stories=[placed])
    assert find_contradictions(given)[0].place == Place("data/stories.yml", 7)


def test_a_rule_with_two_messages_is_refused_unless_allowed() -> None:
    long = rule("long", "?greet", "utter_greet", "?bye", "utter_bye")
    assert any("2 user messages" in message for message in messages(rules=[long]))
    assert messages(rules=[long], restrict_rules=False) == []


def test_an_action_that_sets_a_slot_in_one_rule_must_say_so_in_all() -> None:
    sets = Rule(
        "sets", (*steps("?greet", "action_x"), SlotStep("city", "x"), *steps("utter_greet"))
    )
    forgets = rule("forgets", "?bye", "action_x", "utter_bye")
    found = messages(rules=[sets, forgets])
    assert any("'forgets'" in message and "city" in message for message in found)


def test_a_form_that_opens_a_loop_in_one_rule_must_say_so_in_all() -> None:
    opens = Rule("opens", (*steps("?order", "pizza_form"), LoopStep("pizza_form")))
    forgets = rule("forgets", "?inform", "pizza_form", "utter_done")
    found = messages(rules=[opens, forgets])
    assert any("active_loop: pizza_form" in message for message in found)


def test_form_stories_with_interruptions_contradict_nothing() -> None:
    rules = [
        Rule("open", (*steps("?order", "pizza_form"), LoopStep("pizza_form"))),
        Rule(
            "submit",
            (ActionStep("pizza_form"), LoopStep(None), ActionStep("utter_done")),
            conditions=(LoopStep("pizza_form"),),
        ),
        rule("chitchat", "?chitchat", "utter_chitchat"),
    ]
    unhappy = Story(
        "unhappy",
        (
            *steps("?order", "pizza_form"),
            LoopStep("pizza_form"),
            *steps("?chitchat", "utter_chitchat", "pizza_form"),
            LoopStep(None),
            *steps("utter_done"),
        ),
    )
    assert messages(rules=rules, stories=[unhappy]) == []


def test_the_check_can_be_switched_off() -> None:
    both = [rule("a", "?greet", "utter_greet"), rule("b", "?greet", "utter_bye")]
    assert messages(rules=both, check_for_contradictions=False) == []
