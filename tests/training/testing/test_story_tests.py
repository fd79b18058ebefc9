"""Story tests: predictions against gold stories, messages parsed, failures shown."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.project import load_stories
from agent.project.types import (
    ActionStep,
    Form,
    Intent,
    LoopStep,
    OrStep,
    Place,
    Project,
    Rule,
    Slot,
    SlotStep,
    StepEntity,
    Story,
    UserStep,
)
from agent.turn import Entity, IntentScore, Understanding
from knowledge.errors import InputError
from tests.agent.dialogue.talk import domain, from_entity, project, rule, steps, story
from training.testing.story_report import StoryReport, write_failed_stories
from training.testing.story_tests import check_stories, run_story_tests

FORM = Form("pizza_form", ("city",))
DOMAIN = domain(
    slots={"city": Slot("city", "text", mappings=(from_entity("city"),))},
    forms=[FORM],
    actions=["action_x"],
)
RULES = (
    rule("hi", "?greet", "utter_greet"),
    rule("chitchat", "?chitchat", "utter_chitchat"),
    Rule("open", (*steps("?order", "pizza_form"), LoopStep("pizza_form"))),
    Rule(
        "submit",
        (ActionStep("pizza_form"), LoopStep(None), ActionStep("utter_done")),
        conditions=(LoopStep("pizza_form"),),
    ),
)
PROJECT = project(DOMAIN, rules=RULES)


def never(texts: Sequence[str]) -> list[Understanding]:
    assert not texts
    return []


def hears(**intents: str) -> Callable[[Sequence[str]], list[Understanding]]:
    """Understands each word as its intent; `Rome` in a text is a city."""

    def understand(texts: Sequence[str]) -> list[Understanding]:
        return [_understood(text, intents[text.split()[0]]) for text in texts]

    return understand


def _understood(text: str, intent: str) -> Understanding:
    at = text.find("Rome")
    city = (Entity("city", at, at + 4, "Rome", "Rome"),) if at >= 0 else ()
    name, _, key = intent.partition("/")
    responses = {name: (IntentScore(intent, 1.0),)} if key else {}
    return Understanding(text, (IntentScore(name, 0.9),), city, responses=responses)


def outcome(*stories: Story, given: Project = PROJECT, understand: object = never) -> StoryReport:
    return check_stories(given, stories, understand)  # type: ignore[arg-type]


def test_a_story_that_the_policies_follow_passes() -> None:
    report = outcome(story("hello", "?greet", "utter_greet", "?chitchat", "utter_chitchat"))
    assert (report.passed, report.failed) == (1, 0)
    answer = report.to_json()
    assert (answer["passed"], answer["failed"], answer["failures"]) == (1, 0, [])
    assert report.action_accuracy == 1.0


def test_a_wrong_action_fails_and_the_story_goes_on_as_written() -> None:
    report = outcome(story("wrong", "?greet", "utter_bye", "?chitchat", "utter_chitchat"))
    failure = report.failures[0]
    assert [(s.expected, s.predicted) for s in failure.steps if s.predicted] == [
        ("utter_bye", "utter_greet"),
        ("action_listen", "action_default_fallback"),
    ]
    assert report.action_accuracy == pytest.approx(1 / 3)


def test_the_diff_shows_what_was_expected_and_what_came_with_its_reason() -> None:
    wrong = Story("wrong", steps("?greet", "utter_bye"), Place("tests/test_stories.yml", 4))
    lines = outcome(wrong).failures[0].diff().splitlines()
    assert lines[0] == "story 'wrong' (tests/test_stories.yml:4)"
    assert "    user: greet" in lines
    assert "  - action: utter_bye" in lines
    assert any(line.startswith("  + action: utter_greet   [RulePolicy 1.00") for line in lines)


def test_forms_are_not_run_and_their_gold_events_count() -> None:
    happy = Story(
        "happy",
        (
            *steps("?order", "pizza_form"),
            LoopStep("pizza_form"),
            SlotStep("city", "Rome"),
            UserStep("inform"),
            ActionStep("pizza_form"),
            LoopStep(None),
            ActionStep("utter_done"),
        ),
    )
    assert outcome(happy).failed == 0


def test_a_loop_that_is_not_expected_is_taken_to_have_declined() -> None:
    unhappy = Story(
        "unhappy",
        (
            *steps("?order", "pizza_form"),
            LoopStep("pizza_form"),
            *steps("?chitchat", "utter_chitchat", "pizza_form"),
            LoopStep(None),
            ActionStep("utter_done"),
        ),
    )
    assert outcome(unhappy).failed == 0


def test_texts_are_parsed_and_compared_with_their_intent() -> None:
    said = Story("said", (UserStep("greet", text="hello"), ActionStep("utter_greet")))
    assert outcome(said, understand=hears(hello="greet")).failed == 0
    report = outcome(said, understand=hears(hello="bye"))
    step = report.failures[0].steps[0]
    assert (step.expected, step.predicted) == ("hello   (greet)", "bye")
    assert all(step.predicted is None for step in report.failures[0].steps[1:])


def test_entities_are_compared_by_label_place_and_value() -> None:
    def marked(value: str) -> Story:
        rome = StepEntity("city", value, start=3, end=7)
        return Story("marked", (UserStep("greet", (rome,), "to Rome"), ActionStep("utter_greet")))

    assert outcome(marked("Rome"), understand=hears(to="greet")).failed == 0
    report = outcome(marked("Roma"), understand=hears(to="greet"))
    assert report.failures[0].steps[0].predicted == "greet {city='Rome'}"


@pytest.mark.parametrize("entities", [(), (StepEntity("time", "tomorrow", start=0, end=8),)])
def test_values_count_only_where_the_story_names_them(entities: tuple[StepEntity, ...]) -> None:
    day = Entity("time", 0, 8, "tomorrow", "2030-01-02", extractor="DucklingEntityExtractor")
    number = replace(day, label="number", value=1)

    def hear(texts: Sequence[str]) -> list[Understanding]:
        return [Understanding(t, (IntentScore("greet", 1.0),), (day, number)) for t in texts]

    said = Story("day", (UserStep("greet", entities, "tomorrow"), ActionStep("utter_greet")))
    assert outcome(said, understand=hear).failed == 0
    other = replace(day, extractor="network")
    found = [Understanding("tomorrow", (IntentScore("greet", 1.0),), (other,))]
    assert outcome(said, understand=lambda _: found).failed == 1


@pytest.mark.parametrize(("value", "failed"), [("Rome", 0), ("Oslo", 1)])
def test_what_stands_beside_a_text_may_be_found_and_need_not_be(value: str, failed: int) -> None:
    beside = (StepEntity("city", value),)
    said = Story("b", (UserStep("greet", (), "to Rome", beside=beside), ActionStep("utter_greet")))
    rome = Entity("city", 3, 7, "Rome", "Rome")

    def hear(*entities: Entity) -> Callable[[Sequence[str]], list[Understanding]]:
        return lambda texts: [
            Understanding(t, (IntentScore("greet", 1.0),), entities) for t in texts
        ]

    assert outcome(said, understand=hear()).failed == 0
    assert outcome(said, understand=hear(rome)).failed == failed


def test_gold_entities_fill_their_slots() -> None:
    needs_city = Rule(
        "city", steps("?inform", "utter_done"), conditions=(SlotStep("city", "Rome"),)
    )
    said = Story(
        "said", (UserStep("inform", (StepEntity("city", "Rome"),)), ActionStep("utter_done"))
    )
    assert outcome(said, given=project(DOMAIN, rules=[needs_city])).failed == 0


def test_an_intent_message_stands_for_itself() -> None:
    said = Story("raw", (UserStep("greet", text="/greet"), ActionStep("utter_greet")))
    assert outcome(said, understand=hears(**{"/greet": "greet"})).failed == 0


def test_a_text_without_an_intent_means_what_is_understood() -> None:
    said = Story("free", (UserStep(text="hello"), ActionStep("utter_greet")))
    assert outcome(said, understand=hears(hello="greet")).failed == 0


def test_a_retrieval_intent_counts_with_the_key_that_the_story_names() -> None:
    dom = replace(
        domain(responses=("utter_faq/hours", "utter_faq/price")),
        intents={"faq": Intent("faq", is_retrieval=True)},
    )
    given = project(dom, rules=[rule("faq", "?faq", "utter_faq")])
    asked = Story("hours", (UserStep("faq/hours", text="when"), ActionStep("utter_faq/hours")))
    assert outcome(asked, given=given, understand=hears(when="faq/hours")).failed == 0
    wrong = outcome(asked, given=given, understand=hears(when="faq/price")).failures[0]
    assert [step.predicted for step in wrong.steps] == ["faq/price", "utter_faq"]
    plain = Story("any", (UserStep("faq", text="when"), ActionStep("utter_faq")))
    assert outcome(plain, given=given, understand=hears(when="faq/price")).failed == 0


def test_choices_are_stories_of_their_own_and_equal_stories_count_once() -> None:
    either = OrStep((UserStep("greet"), UserStep("bye")))
    report = outcome(Story("either", (either, ActionStep("utter_greet"))))
    assert (report.passed, report.failed) == (1, 1)
    twice = outcome(story("a", "?greet", "utter_greet"), story("b", "?greet", "utter_greet"))
    assert (twice.passed, twice.duplicates) == (1, ("b",))


def test_coverage_names_what_no_story_touches() -> None:
    covered = outcome(story("hello", "?greet", "utter_greet")).coverage
    assert "greet" not in covered["intents"].missing
    assert (covered["intents"].tested, covered["intents"].total) == (1, 6)
    assert covered["rules"].missing == ("chitchat", "open", "submit")
    assert "utter_greet" not in covered["actions"].missing
    assert "pizza_form" in covered["actions"].missing


def test_ten_actions_without_listening_end_the_turn() -> None:
    endless = story("endless", "?greet", *["utter_greet"] * 12)
    predicted = [step.predicted for step in outcome(endless).failures[0].steps]
    assert predicted[-1] == "nothing"


def test_failed_stories_are_written_as_a_stories_file(tmp_path: Path) -> None:
    said = Story(
        "to Rome",
        (
            UserStep("greet", (StepEntity("city", "Rome", start=3, end=7),), "to Rome"),
            ActionStep("utter_bye"),
            LoopStep(None),
            SlotStep("city", "Rome"),
        ),
        Place("tests/test_stories.yml", 1),
    )
    path = tmp_path / "test_failed.yml"
    write_failed_stories(outcome(said, understand=hears(to="greet")), path)
    assert "# predicted: utter_greet" in path.read_text("utf-8")
    again = load_stories(path)[0][0]
    assert again.name == "to Rome (tests/test_stories.yml)"
    assert [step.kind for step in again.steps] == ["user", "action", "loop", "slot"]
    first = again.steps[0]
    assert isinstance(first, UserStep)
    assert (first.text, first.intent, first.entities[0].value) == ("to Rome", "greet", "Rome")


def test_nothing_failed_is_written_so(tmp_path: Path) -> None:
    write_failed_stories(outcome(story("hello", "?greet", "utter_greet")), tmp_path / "failed.yml")
    assert "None of the test stories failed" in (tmp_path / "failed.yml").read_text("utf-8")


def test_stories_are_read_from_a_folder_and_its_folders(tmp_path: Path) -> None:
    nested = tmp_path / "more"
    nested.mkdir()
    (nested / "test_stories.yml").write_text(
        "stories:\n- story: hi\n  steps:\n  - intent: greet\n  - action: utter_greet\n", "utf-8"
    )
    assert run_story_tests(PROJECT, [tmp_path], never).passed == 1


def test_no_story_is_an_error_that_says_where_they_stand(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no test story found"):
        run_story_tests(PROJECT, [tmp_path], never)


def test_tests_that_begin_at_checkpoints_alone_are_no_success(tmp_path: Path) -> None:
    steps = "  - checkpoint: a\n  - intent: greet\n  - action: utter_greet\n  - checkpoint: a\n"
    (tmp_path / "test_a.yml").write_text(f"stories:\n- story: hi\n  steps:\n{steps}", "utf-8")
    with pytest.raises(InputError, match="begins without a checkpoint: none was run"):
        run_story_tests(PROJECT, [tmp_path], never)
