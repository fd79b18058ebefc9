import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import ProjectError
from agent.project import load_project, read_project, validate
from agent.project.findings import Findings, Source
from agent.project.yaml_file import parse_yaml
from agent.project.yaml_values import plain
from tests.agent.project.conftest import NLU, RULES, MakeProject, ReadProject
from tests.agent.project.test_domain import DOMAIN
from tests.agent.project.test_endpoints import ENDPOINTS
from tests.agent.project.test_story_reader import STORIES


def test_the_package_imports_no_yaml_until_a_reader_is_used() -> None:
    code = "import agent.project, sys; sys.exit('ruamel.yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_project_is_read_whole(make_project: MakeProject) -> None:
    project = load_project(make_project({}, base=True))
    assert list(project.domain.intents) == ["greet", "bye"]
    assert [e.text for e in project.nlu.examples] == ["hi", "hello", "bye", "see you"]
    assert [rule.name for rule in project.rules] == ["greet", "bye"]
    assert project.notices == ()


def test_an_intent_with_retrieval_examples_is_a_retrieval_intent(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": "intents: [faq, greet]\n",
            "data/nlu.yml": "nlu:\n- intent: faq/a\n  examples: |\n    - x\n",
        }
    )
    assert project.domain.intents["faq"].is_retrieval
    assert not project.domain.intents["greet"].is_retrieval


def test_a_missing_folder_and_a_folder_that_is_no_project_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="absent: no such folder"):
        load_project(tmp_path / "absent")
    with pytest.raises(ProjectError, match="is no assistant"):
        load_project(tmp_path)


def test_a_part_that_is_no_file_or_no_folder_is_told(make_project: MakeProject) -> None:
    root = make_project({"domain.yml": "intents: [greet]\n", "data": "text\n"})
    for name in ("config.yml", "endpoints.yml"):
        (root / name).mkdir()
    errors = [n for n in read_project(root).notices if n.level == "error"]
    assert [(n.place.path, n.message) for n in errors] == [
        ("config.yml", "must be a file"),
        ("endpoints.yml", "must be a file"),
        ("data", "must be a folder"),
    ]


def test_flows_of_rasa_pro_are_named(read: ReadProject) -> None:
    flows = "flows:\n  pay: {description: pay, steps: [{action: utter_pay}]}\n"
    project = read({"data/flows.yml": flows}, base=True)
    (notice,) = project.notices
    assert (notice.level, notice.place.path, notice.place.line) == ("warning", "data/flows.yml", 1)
    assert "Rasa Pro's" in notice.message


def test_hidden_files_are_not_read(read: ReadProject) -> None:
    project = read({"data/.cache/x.yml": "nlu: 5\n", "data/.x.yml": "nlu: 5\n"}, base=True)
    assert project.notices == ()


def test_a_yaml_file_of_something_else_is_told(read: ReadProject) -> None:
    project = read({"data/cities.yml": "cities: [Rome]\n"}, base=True)
    [notice] = project.notices
    assert notice.place.path == "data/cities.yml"
    assert "not read" in notice.message


def test_test_stories_under_data_are_learned_from_and_told(read: ReadProject) -> None:
    text = "stories:\n- story: s\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
    project = read({"data/test_stories.yml": text}, base=True)
    assert len(project.stories) == 1
    assert [n.level for n in project.notices] == ["info"]


def test_the_yaml_suffix_counts_too(read: ReadProject) -> None:
    project = read({"domain.yaml": "intents: [a]\n", "config.yaml": "language: fr\n"})
    assert list(project.domain.intents) == ["a"]
    assert project.config.language == "fr"


def test_a_training_file_of_40_kb_is_read_in_no_long_time(make_project: MakeProject) -> None:
    rows = "".join(f"    - move {i} euros to [my savings](account) please\n" for i in range(800))
    root = make_project({"data/nlu.yml": NLU + "- intent: go\n  examples: |\n" + rows})
    assert (root / "data" / "nlu.yml").stat().st_size > 40_000
    load_project(root)
    started = time.process_time()
    load_project(root)
    assert time.process_time() - started < 5


_NODES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["greet", "", "[a](b", "/x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "text", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
_GOOD = {
    "domain.yml": DOMAIN,
    "data/stories.yml": STORIES,
    "data/nlu.yml": NLU,
    "data/rules.yml": RULES,
    "endpoints.yml": ENDPOINTS,
    "credentials.yml": "rest:\nsocketio: {user_message_evt: a}\n",
    "config.yml": "pipeline: [{name: FallbackClassifier, threshold: 0.5}]\n"
    "policies: [{name: RulePolicy, restrict_rules: true}, {name: MemoizationPolicy}]\n",
}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every node of a tree."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(inner, (*path, key))


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The tree with one node replaced."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_wrong_node_makes_reading_or_validating_fail(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("mutated")
    (root / "data").mkdir()
    for name, text in _GOOD.items():
        (root / name).write_text(text, encoding="utf-8")
    name = data.draw(st.sampled_from(sorted(_GOOD)))
    tree = plain(parse_yaml(_GOOD[name], Source(name, Findings())))
    path = data.draw(st.sampled_from(sorted(_paths(tree), key=str)))
    broken = _with(tree, path, data.draw(_NODES))
    (root / name).write_text(json.dumps(broken), encoding="utf-8")
    validate(read_project(root))
