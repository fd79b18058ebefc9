from pathlib import Path
from textwrap import dedent

import pytest

from agent.project import (
    ActionStep,
    CheckpointStep,
    LoopStep,
    OrStep,
    SlotStep,
    StepEntity,
    UserStep,
    load_stories,
)
from tests.agent.project.conftest import ReadProject


def test_training_data_in_markdown_is_read(read: ReadProject) -> None:
    project = read(
        {
            "data/nlu.md": """\
            <!-- a remark
            - not read -->
            ## intent:go
            - to [NYC](city:New York)
            * to Rome
            ## intent: faq/hours
            - when?
            ## synonym:New York
            - big apple
            ## regex:zip
            - [0-9]{5}
            ## lookup:city
            - Oslo
            """
        }
    )
    data = project.nlu
    assert [(e.text, e.intent, e.place.line) for e in data.examples] == [
        ("to NYC", "go", 4),
        ("to Rome", "go", 5),
        ("when?", "faq", 7),
    ]
    assert dict(data.synonyms) == {"nyc": "New York", "big apple": "New York"}
    assert dict(data.regexes) == {"zip": ("[0-9]{5}",)}
    assert dict(data.lookups) == {"city": ("Oslo",)}
    assert [n.level for n in project.notices] == ["info"]


def test_headings_inside_a_section_do_not_end_it(read: ReadProject) -> None:
    go = "## intent:go\n### by train\n- to Rome\n#### by ship\n- to [Oslo](city)\n"
    project = read({"data/nlu.md": go + "## intent:stay\n- no"})
    assert [(e.text, e.intent) for e in project.nlu.examples] == [
        ("to Rome", "go"),
        ("to Oslo", "go"),
        ("no", "stay"),
    ]


def test_stories_in_markdown_are_read(read: ReadProject) -> None:
    project = read(
        {
            "data/stories.md": """\
            ## happy path
            > start
            * greet OR hello{"name": "Ann"}
              - utter_greet
            * form: inform{"city": "Rome"}
              - form: city_form
              - form{"name": "city_form"}
              - slot{"city": "Rome"}
              - form{"name": null}
            * faq/hours
              - respond_faq
            ## second
            * bye
              - action_restart
            """
        }
    )
    first, second = project.stories
    assert first.name == "happy path"
    assert first.steps == (
        CheckpointStep("start", line=2),
        OrStep(
            (
                UserStep("greet", line=3),
                UserStep("hello", (StepEntity("name", "Ann"),), line=3),
            ),
            3,
        ),
        ActionStep("utter_greet", 4),
        UserStep("inform", (StepEntity("city", "Rome"),), line=5),
        ActionStep("city_form", 6),
        LoopStep("city_form", 7),
        SlotStep("city", "Rome", True, 8),
        LoopStep(None, 9),
        UserStep("faq", line=10, response="faq/hours"),
        ActionStep("respond_faq", 11),
    )
    assert second.place.line == 12


def test_retrieval_responses_in_markdown_are_read(read: ReadProject) -> None:
    project = read(
        {
            "data/responses.md": """\
            ## hours
            * faq/hours
              - We open at 9.
              - From 9 on.
            """
        }
    )
    texts = [variation.text for variation in project.domain.responses["utter_faq/hours"]]
    assert texts == ["We open at 9.", "From 9 on."]
    assert project.stories == ()


def test_other_markdown_is_left_alone(read: ReadProject) -> None:
    project = read({"data/README.md": "# Notes\n\n- a list\n* another\n"}, base=True)
    assert project.notices == ()
    assert project.stories == ()


def test_broken_markdown_is_an_error_with_its_line(read: ReadProject) -> None:
    project = read({"data/stories.md": "## s\n* greet{oops}\n- slot{}\n* {}\n"})
    assert [(n.level, n.place.line) for n in project.notices if n.level == "error"] == [
        ("error", 2),
        ("error", 4),
    ]


def test_lookup_tables_in_files_of_their_own_are_read(read: ReadProject) -> None:
    project = read(
        {
            "data/nlu.md": "## lookup:city\ndata/words/city.txt\n## lookup:street\nnowhere.txt\n",
            "data/words/city.txt": "Oslo\n\nRome\n",
        },
        base=True,
    )
    assert dict(project.nlu.lookups) == {"city": ("Oslo", "Rome")}
    warnings = [(n.message, n.place.line) for n in project.notices if n.level == "warning"]
    assert warnings == [("the lookup file 'nowhere.txt' is not there", 4)]


def test_events_that_no_policy_learns_from_are_left_out_and_told(read: ReadProject) -> None:
    project = read(
        {
            "data/stories.md": """\
            ## s
            * stop
              - followup{"name": "action_x"}
              - action_deactivate_form
              - form{"name": null}
            """
        },
        base=True,
    )
    (story,) = project.stories
    assert [step for step in story.steps if not isinstance(step, UserStep)] == [
        ActionStep("action_deactivate_loop", 4),
        LoopStep(None, 5),
    ]
    told = [n.message for n in project.notices if n.level == "info"]
    assert any("`followup` are not learned" in message for message in told)
    assert any("read as `action_deactivate_loop`" in message for message in told)


def test_test_stories_in_markdown_are_read_with_what_was_said(tmp_path: Path) -> None:
    (tmp_path / "conversation_tests.md").write_text(
        dedent("""\
            #### These are tests
            ## to Rome
            * greet: hello
              - utter_greet
            * form: inform: to [Rome](city)
              - trip_form
            * bye: /bye{"who": "Ann"}
            * thank
              - utter_welcome
            """)
    )
    (story,), _ = load_stories(tmp_path)
    assert story.name == "to Rome"
    users = [step for step in story.steps if isinstance(step, UserStep)]
    assert [(step.intent, step.text) for step in users] == [
        ("greet", "hello"),
        ("inform", "to Rome"),
        ("bye", '/bye{"who": "Ann"}'),
        ("thank", None),
    ]
    assert [(e.entity, e.value, e.start) for e in users[1].entities] == [("city", "Rome", 3)]


def test_a_single_hash_begins_a_story_too(read: ReadProject) -> None:
    two = "# one\n* greet\n  - utter_greet\n# two\n* bye\n  - utter_bye\n"
    project = read({"data/stories.md": "## a file of stories\n" + two})
    assert [(story.name, len(story.steps)) for story in project.stories] == [("one", 2), ("two", 2)]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ('go: to [LA]{"entity": "city", "role": "to", "value": "L.A."}', "to LA"),
        ('go{"city": "x"}: to [LA]{"entity": "city", "role": "to", "value": "L.A."}', "to LA"),
        ('form: go: at 9:30 [LA]{"entity": "city", "role": "to", "value": "L.A."}', "at 9:30 LA"),
        ('go: Paris OR [LA]{"entity": "city", "role": "to", "value": "L.A."}', "Paris OR LA"),
    ],
)
def test_entities_written_as_json_are_read_from_what_was_said(
    tmp_path: Path, said: str, text: str
) -> None:
    (tmp_path / "test_go.md").write_text(f"## a\n* {said}\n  - utter_go\n")
    ((step, _),) = (story.steps for story in load_stories(tmp_path)[0])
    assert isinstance(step, UserStep)
    assert (step.intent, step.text) == ("go", text)
    assert step.entities == (StepEntity("city", "L.A.", "to", None, len(text) - 2, len(text)),)


def test_one_of_several_messages_with_their_texts(tmp_path: Path) -> None:
    said = '* go: to [LA]{"entity": "city"} OR greet: hi\n  - utter_go\n'
    (tmp_path / "test_go.md").write_text("## a\n" + said)
    ((step, _),) = (story.steps for story in load_stories(tmp_path)[0])
    assert isinstance(step, OrStep)
    assert [(s.intent, s.text) for s in step.alternatives if isinstance(s, UserStep)] == [
        ("go", "to LA"),
        ("greet", "hi"),
    ]


def test_stories_to_learn_from_keep_the_entities_of_what_was_said(read: ReadProject) -> None:
    said = '* go: to [LA]{"entity": "city", "role": "to"}\n  - utter_go\n* bye:\n'
    (go, _, bye) = read({"data/stories.md": "## a\n" + said}).stories[0].steps
    assert go == UserStep("go", (StepEntity("city", "LA", "to"),), line=2)
    assert bye == UserStep("bye", line=4)
