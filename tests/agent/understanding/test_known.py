"""What the training data says word for word."""

import numpy as np
import pytest

from agent.understanding.bio import TaggedSpan
from agent.understanding.known import KnownTexts
from agent.understanding.labels import SpanType
from agent.understanding.runtime import KnownExamples

CITY, FROM = SpanType("city"), SpanType("city", role="from")
ROWS = (
    ("to Rome", "go", (TaggedSpan(3, 7, CITY, 1.0),)),
    ("Oslo", "go", (TaggedSpan(0, 4, FROM, 1.0),)),
    ("in Oslo", "stay", (TaggedSpan(3, 7, CITY, 1.0),)),
    ("either way", "go", ()),
    ("Either way!", "stay", ()),
    ("fnord", "oos", ()),
)


def known(rows: tuple[tuple[str, str, tuple[TaggedSpan, ...]], ...] = ROWS) -> KnownTexts:
    texts, classes, spans = zip(*rows, strict=True)
    names = np.array(classes, np.str_)
    vectors = np.zeros((len(rows), 2), np.float32)
    return KnownTexts.of(KnownExamples(texts, names, vectors, names, spans), ["go", "stay"])


@pytest.mark.parametrize(
    ("text", "name"),
    [("TO ROME!", "go"), ("in  Oslo", "stay"), ("either way", None), ("fnord", None), ("hi", None)],
)
def test_a_text_has_the_class_that_it_has_in_the_training_data(text: str, name: str | None) -> None:
    assert known().class_of(text) == name


def test_a_text_has_the_spans_that_it_has_in_the_training_data() -> None:
    wrong = (TaggedSpan(0, 2, CITY, 0.4),)
    assert known().spans_of("to rome", wrong) == (TaggedSpan(3, 7, CITY, 1.0),)
    assert known().spans_of("To Rome ?", wrong) == (TaggedSpan(3, 7, CITY, 1.0),)
    # Of another spelling the places do not hold.
    assert known().spans_of("to  Rome", wrong) == wrong


def test_a_text_that_is_nothing_but_a_known_value_is_that_value() -> None:
    assert known().spans_of(" rome. ", ()) == (TaggedSpan(1, 5, CITY, 1.0),)
    found = (TaggedSpan(1, 5, FROM, 0.6),)
    assert known().spans_of(" rome. ", found) == found
    # Oslo is one thing here and another there.
    assert known(ROWS[1:3]).spans_of(" OSLO?", ()) == ()


def test_a_model_that_kept_no_spans_knows_the_classes_all_the_same() -> None:
    names = np.array(["go"], np.str_)
    examples = KnownExamples(("to Rome",), names, np.zeros((1, 2), np.float32), names)
    only = KnownTexts.of(examples, ["go"])
    assert (only.class_of("to rome"), only.spans_of("to rome", ())) == ("go", ())
