from pathlib import Path

import pytest

from agent.errors import InputError
from agent.feedback.correction import Correction, Prediction
from agent.feedback.merge import merge
from agent.project import load_project
from agent.project.types import EntityAnnotation

NLU = """version: "3.1"

# greetings of all kinds
nlu:
- intent: greet   # said first
  examples: |
      - hello
      - hi there

- intent: block_card
  examples: |
    - block my card
    - kill it
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "nlu.yml").write_text(NLU)
    (tmp_path / "domain.yml").write_text('version: "3.1"\nintents:\n- greet\n- block_card\n')
    return tmp_path


def correction(text: str, intent: str, **parts: object) -> Correction:
    predicted = Prediction("greet", 0.5)
    return Correction(text, "intent", "ann", intent=intent, predicted=predicted, **parts)  # type: ignore[arg-type]


def nlu(root: Path) -> str:
    return (root / "data" / "nlu.yml").read_text()


def test_an_example_goes_behind_the_last_of_its_intent_and_all_else_stays(root: Path) -> None:
    done = merge(root, [correction("good day", "greet")])
    assert nlu(root) == NLU.replace("      - hi there\n", "      - hi there\n      - good day\n")
    assert len(done.added) == 1


def test_a_text_under_another_intent_moves(root: Path) -> None:
    done = merge(root, [correction("kill it", "greet")])
    assert len(done.moved) == 1
    found = {e.text: e.intent for e in load_project(root).nlu.examples}
    assert found["kill it"] == "greet"
    assert nlu(root).count("kill it") == 1


def test_what_is_there_already_changes_nothing(root: Path) -> None:
    done = merge(root, [correction("Hello", "greet")])
    assert (len(done.known), nlu(root)) == (1, NLU)


def test_a_new_intent_gets_a_block_of_its_own_and_merging_again_adds_nothing(root: Path) -> None:
    new = correction("send money", "pay")
    merge(root, [new])
    done = merge(root, [new])
    assert (done.added, len(done.known)) == ((), 1)
    assert '- intent: "pay"' in (root / "data" / "corrections.yml").read_text()


def test_entities_are_written_as_markup(root: Path) -> None:
    spans = (EntityAnnotation(6, 10, "thing", "card"),)
    merge(root, [correction("block card", "block_card", entities=spans)])
    assert "    - block [card](thing)\n" in nlu(root)


def test_line_ends_of_windows_are_kept(root: Path) -> None:
    (root / "data" / "nlu.yml").write_bytes(NLU.replace("\n", "\r\n").encode())
    merge(root, [correction("good day", "greet")])
    assert b"      - good day\r\n" in (root / "data" / "nlu.yml").read_bytes()


def test_what_cannot_be_written_is_named(root: Path) -> None:
    done = merge(root, [correction("[odd](thing)", "greet")])
    assert (done.added, nlu(root)) == ((), NLU)
    assert "cannot be written" in next(iter(done.left_out.values()))


def test_a_file_that_would_break_is_left_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.feedback.merge.markup", lambda _: "x\n broken: [")
    with pytest.raises(InputError, match="left as it is"):
        merge(root, [correction("good day", "greet")])
    assert nlu(root) == NLU
    assert list((root / "data").iterdir()) == [root / "data" / "nlu.yml"]


def test_what_was_drawn_to_judge_models_is_not_made_training_data(root: Path) -> None:
    done = merge(root, [correction("good day", "greet", drawn=True)])
    assert (done.added, nlu(root)) == ((), NLU)
    assert "judge" in next(iter(done.left_out.values()))


def test_a_name_that_a_correction_marks_does_not_come_into_the_projects_files(root: Path) -> None:
    spans = (EntityAnnotation(6, 9, "person", "Ann"),)
    merge(root, [correction("hi to Ann", "greet", entities=spans)], names=frozenset({"person"}))
    assert "- hi to [<NAME>](person)\n" in nlu(root)


@pytest.mark.parametrize("name", ["null", "1", "*star", "no", "@at", "a,b"])
def test_a_new_intent_of_any_name_gets_a_block_that_reads_back(root: Path, name: str) -> None:
    merge(root, [correction("good day", name)])
    assert {e.intent for e in load_project(root).nlu.examples} >= {name}


def test_only_the_newest_of_several_corrections_of_a_text_is_written(root: Path) -> None:
    merge(root, [correction("good day", "block_card"), correction("Good day", "greet")])
    assert [e.intent for e in load_project(root).nlu.examples if "ood day" in e.text] == ["greet"]
