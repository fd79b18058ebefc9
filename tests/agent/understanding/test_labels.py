"""What a model knows besides its weights, written down and read again."""

import json
from pathlib import Path

import pytest

from agent.errors import ModelError
from agent.understanding.labels import SPEC_FILE, SpanType, Spec, load_spec, save_spec
from agent.understanding.transitions import NO_TRANSITIONS, Transitions

SPEC = Spec(
    classes=("book",),
    span_types=(SpanType("city"),),
    transitions=Transitions((4, 2, 1), ((0, 1, 2), (1, 2, 1)), 0.25),
)


def test_a_specification_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_spec(SPEC, tmp_path)
    assert load_spec(tmp_path) == SPEC


def test_a_model_that_counted_no_transitions_is_read_without(tmp_path: Path) -> None:
    save_spec(SPEC, tmp_path)
    document = json.loads((tmp_path / SPEC_FILE).read_text(encoding="utf-8"))
    del document["transitions"]
    (tmp_path / SPEC_FILE).write_text(json.dumps(document), encoding="utf-8")
    assert load_spec(tmp_path).transitions == NO_TRANSITIONS


@pytest.mark.parametrize(
    "broken", [{"counts": [1, 2]}, {"counts": [1, 2, 3], "pairs": [[0, 7, 1]]}, {"counts": ["x"]}]
)
def test_transitions_of_other_tags_are_refused(broken: object, tmp_path: Path) -> None:
    save_spec(SPEC, tmp_path)
    document = json.loads((tmp_path / SPEC_FILE).read_text(encoding="utf-8"))
    document["transitions"] = broken
    (tmp_path / SPEC_FILE).write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ModelError, match="incomplete"):
        load_spec(tmp_path)
