import os
from pathlib import Path

import pytest

from agent.errors import ProjectError
from agent.project import load_stories
from tests.agent.project.conftest import MakeProject

STORIES = """\
stories:
- story: greeting
  steps:
  - intent: greet
  - action: utter_greet
"""
MARKDOWN = "## hello\n* greet: hi\n  - utter_greet\n"


def test_test_stories_are_found_by_their_prefix(make_project: MakeProject) -> None:
    root = make_project(
        {
            "tests/test_a.yml": STORIES,
            "tests/deep/test_b.yaml": STORIES,
            "tests/other.yml": STORIES,
            "tests/test_nlu.yml": "nlu: []\n",
        }
    )
    stories, notices = load_stories(root / "tests")
    assert len(stories) == 2
    assert len(load_stories(root / "tests" / "other.yml")[0]) == 1
    assert [(Path(n.place.path).name, n.level) for n in notices] == [("other.yml", "warning")]
    assert "not named test_*" in notices[0].message


def test_a_missing_story_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="nowhere: no such file"):
        load_stories(tmp_path / "nowhere")


def test_test_stories_without_their_key_are_told(tmp_path: Path) -> None:
    (tmp_path / "test_stories.yml").write_text("- story: a\n  steps:\n  - intent: greet\n")
    with pytest.raises(ProjectError, match="write `stories:` above them"):
        load_stories(tmp_path)
    (tmp_path / "test_stories.yml").write_text("- a list of something else\n")
    assert load_stories(tmp_path) == ((), ())


@pytest.mark.parametrize(
    "name",
    [
        "tests/e2e-stories.md",
        "tests/deep/any.md",
        "e2e_stories.md",
        "test_stories.md",
        "e2e/e2e.md",
    ],
)
def test_stories_of_1_x_are_found_by_folder_or_name(make_project: MakeProject, name: str) -> None:
    root = make_project({name: MARKDOWN})
    assert [story.name for story in load_stories(root)[0]] == ["hello"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data/stories.md", MARKDOWN),
        ("tests/README.md", "# Tests\n## Running\n* run: pytest\n- then look at it\n"),
        ("tests/nlu.md", "## intent:greet\n- hi\n"),
        ("tests/nlu_and_more.md", "## intent:greet\n- hi\n" + MARKDOWN),
        ("models/test_a.yml", STORIES),
        (".github/test_a.yml", STORIES),
        ("env/lib/test_a.yml", STORIES),
        ("deploy/test_values.yml", "name: {{ .Values.name }}\n"),
    ],
)
def test_other_files_are_no_test_stories(make_project: MakeProject, name: str, text: str) -> None:
    root = make_project({name: text, "env/pyvenv.cfg": "home = /usr\n"})
    assert load_stories(root) == ((), ())


def test_stories_anywhere_in_a_project_are_found(make_project: MakeProject) -> None:
    root = make_project({"test_a.yml": STORIES, "e2e/test_b.yml": STORIES})
    assert len(load_stories(root)[0]) == 2


@pytest.mark.parametrize("name", ["tests/test_cases.yml", "tests/order.yml"])
def test_end_to_end_tests_of_rasa_pro_are_named(make_project: MakeProject, name: str) -> None:
    cases = "test_cases:\n- test_case: a\n  steps:\n  - user: hi\n  - bot: hello\n"
    stories, notices = load_stories(make_project({name: cases}) / "tests")
    assert stories == ()
    assert ["Rasa Pro" in notice.message for notice in notices] == [True]


def test_stories_under_another_key_are_told(make_project: MakeProject) -> None:
    root = make_project({"tests/test_a.yml": STORIES.replace("stories:", "test_stories:")})
    with pytest.raises(ProjectError, match="the stories stand under `test_stories:`"):
        load_stories(root)


def test_a_named_pipe_is_not_waited_for(make_project: MakeProject) -> None:
    root = make_project({"tests/test_a.yml": STORIES})
    os.mkfifo(root / "tests" / "test_b.yml")
    os.mkfifo(root / "tests" / "test_c.md")
    assert len(load_stories(root)[0]) == 1
