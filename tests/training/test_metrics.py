"""Our figures against scikit-learn's and seqeval's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.metrics import precision_score as seqeval_precision
from seqeval.metrics import recall_score as seqeval_recall
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from training import metrics

LABELS = ["greet", "bye", "book", "a+b"]
TAGS = ["O", "B-x", "I-x", "B-y", "I-y"]


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1))
def test_accuracy_and_macro_f1_equal_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    scores = metrics.score_intents(gold, predicted, [0.5] * len(pairs))
    assert scores.accuracy == pytest.approx(accuracy_score(gold, predicted))
    expected = f1_score(gold, predicted, average="macro", zero_division=0)
    assert scores.macro_f1 == pytest.approx(expected)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2))
def test_auroc_equals_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    positive = np.array([p for p, _ in rows])
    scores = np.array([s / 8 for _, s in rows])
    ours = metrics.auroc(positive, scores)
    if positive.all() or not positive.any():
        assert ours is None
    else:
        assert ours == pytest.approx(roc_auc_score(positive, scores))


def spans(tags: list[str]) -> set[tuple[int, int, str]]:
    found: set[tuple[int, int, str]] = set()
    start = -1
    for i, tag in enumerate([*tags, "O"]):
        if start >= 0 and not tag.startswith("I-"):
            found.add((start, i, tags[start][2:]))
            start = -1
        if tag.startswith("B-"):
            start = i
    return found


def valid(tags: list[str]) -> list[str]:
    """The tags with each I that follows nothing of its type made a B."""
    fixed: list[str] = []
    for tag in tags:
        follows = bool(fixed) and fixed[-1][1:] == tag[1:]
        fixed.append(f"B{tag[1:]}" if tag[0] == "I" and not follows else tag)
    return fixed


sentences = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=9),
    min_size=1,
    max_size=6,
)


@given(sentences)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_entity_scores_equal_seqeval(rows: list[list[tuple[str, str]]]) -> None:
    gold = [valid([g for g, _ in row]) for row in rows]
    found = [valid([f for _, f in row]) for row in rows]
    ours = metrics.score_entities([spans(t) for t in gold], [spans(t) for t in found])
    strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    if not any(map(spans, gold)) and not any(map(spans, found)):
        assert ours.f1 == 0
        return
    assert ours.precision == pytest.approx(seqeval_precision(gold, found, **strict))
    assert ours.recall == pytest.approx(seqeval_recall(gold, found, **strict))
    assert ours.f1 == pytest.approx(seqeval_f1(gold, found, **strict))


def test_calibration_error_is_the_weighted_gap_between_confidence_and_accuracy() -> None:
    # Two bins: 0.9 with half right (gap 0.4), 0.3 with none right (gap 0.3).
    error = metrics.calibration_error([0.9, 0.9, 0.3, 0.3], [True, False, False, False])
    assert error == pytest.approx(0.5 * 0.4 + 0.5 * 0.3)


def test_a_perfectly_calibrated_prediction_has_no_error() -> None:
    assert metrics.calibration_error([1.0, 1.0, 0.0], [True, True, False]) == 0.0


def test_a_message_below_the_threshold_is_flagged() -> None:
    scores = metrics.score_oos([True, True, False, False], [0.1, 0.6, 0.4, 0.9], 0.5)
    assert (scores.n, scores.recall, scores.precision, scores.false_oos) == (2, 0.5, 0.5, 0.5)
    assert scores.auroc == 0.75


def test_confusions_stand_most_frequent_first() -> None:
    gold, predicted = ["a", "a", "b", "b", "b"], ["b", "a", "a", "a", "c"]
    assert metrics.confusions(gold, predicted) == [("b", "a", 2), ("a", "b", 1), ("b", "c", 1)]
