import pytest

from agent.project import (
    ActionStep,
    BotStep,
    CheckpointStep,
    LoopStep,
    OrStep,
    SlotStep,
    StepEntity,
    UserStep,
)
from tests.agent.project.conftest import ReadProject

STORIES = """\
version: "3.1"
stories:
- story: all steps
  metadata: {author: me}
  steps:
  - checkpoint: start
    slot_was_set:
    - level: 3
  - intent: book
    entities:
    - city: Rome
      role: to
    - date
  - action: book_form
  - active_loop: book_form
  - slot_was_set:
    - city: Rome
    - date
    - level: null
  - active_loop: null
  - or:
    - intent: faq/hours
    - slot_was_set:
      - city: Oslo
  - user: |
      I want [Rome](city)
    intent: /book
  - user: "just text"
  - bot: "Certainly"
  - metadata: {x: 1}
"""


def test_every_kind_of_step_is_read(read: ReadProject) -> None:
    project = read({"data/stories.yml": STORIES})
    assert project.notices == ()
    [story] = project.stories
    assert story.steps == (
        CheckpointStep("start", (("level", 3),), 6),
        UserStep("book", (StepEntity("city", "Rome", "to"), StepEntity("date")), None, 9),
        ActionStep("book_form", 14),
        LoopStep("book_form", 15),
        SlotStep("city", "Rome", True, 17),
        SlotStep("date", None, False, 18),
        SlotStep("level", None, True, 19),
        LoopStep(None, 20),
        OrStep(
            (UserStep("faq", line=22, response="faq/hours"), SlotStep("city", "Oslo", True, 24)), 21
        ),
        UserStep("book", (StepEntity("city", "Rome", start=7, end=11),), "I want Rome", 27),
        UserStep(None, (), "just text", 28),
        BotStep("Certainly", 29),
    )


def test_a_rule_has_conditions_and_flags(read: ReadProject) -> None:
    project = read(
        {
            "data/rules.yml": """\
            rules:
            - rule: r
              condition:
              - active_loop: f
              - slot_was_set:
                - done: true
              conversation_start: true
              wait_for_user_input: false
              steps:
              - ...
              - action: utter_a
            """
        }
    )
    [rule] = project.rules
    assert rule.conditions == (LoopStep("f", 4), SlotStep("done", True, True, 6))
    assert (rule.conversation_start, rule.wait_for_user_input) == (True, False)
    assert rule.steps == (ActionStep("...", 10), ActionStep("utter_a", 11))


def test_a_payload_as_user_text_gives_its_entities(read: ReadProject) -> None:
    project = read(
        {
            "data/stories.yml": """\
            stories:
            - story: s
              steps:
              - user: '/book{"city": "Rome", "days": 3}'
                intent: book
              - user: "/ is no payload"
            """
        }
    )
    first, second = project.stories[0].steps
    assert first == UserStep(
        "book",
        (StepEntity("city", "Rome"), StepEntity("days", 3)),
        '/book{"city": "Rome", "days": 3}',
        5,
    )
    assert second == UserStep(None, (), "/ is no payload", 6)


def test_entities_beside_what_was_said_are_not_read_as_in_rasa(read: ReadProject) -> None:
    step = "- user: to Rome\n    intent: book\n    entities:\n    - city: Rome"
    project = read({"data/s.yml": f"stories:\n- story: a\n  steps:\n  {step}\n"})
    beside = (StepEntity("city", "Rome"),)
    assert project.stories[0].steps == (UserStep("book", (), "to Rome", 5, beside=beside),)
    assert "mark them in the text" in project.notices[0].message


@pytest.mark.parametrize("nothing", ['""', "|\n\n", "null"])
def test_of_an_empty_user_text_the_intent_alone_counts(read: ReadProject, nothing: str) -> None:
    step = f"- intent: book\n    user: {nothing}"
    project = read({"data/s.yml": f"stories:\n- story: a\n  steps:\n  {step}\n"})
    assert project.stories[0].steps == (UserStep("book", (), None, 4),)
    assert [notice.level for notice in project.notices] == ["warning"]


def test_a_story_without_steps_is_left_out_and_told(read: ReadProject) -> None:
    project = read({"data/stories.yml": "stories:\n- story: empty\n  steps: []\n"})
    assert project.stories == ()
    assert [n.message for n in project.notices] == ["has no steps and is left out"]
