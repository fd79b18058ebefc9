import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.evaluate import evaluate, ndcg_at, recall_at, reciprocal_rank_at

NAMES = [f"d{n:02}" for n in range(30)]
rankings = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=30)
judgements = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), min_size=1)


@settings(deadline=None)
@given(rankings, judgements)
def test_metrics_agree_with_trec_eval(ranking: list[str], grades: dict[str, int]) -> None:
    scores = {name: float(-place) for place, name in enumerate(ranking)}
    judge = pytrec_eval.RelevanceEvaluator({"q": grades}, {"ndcg_cut.10", "recall.10"})
    wanted = judge.evaluate({"q": scores})["q"]
    assert ndcg_at(ranking, grades) == pytest.approx(wanted["ndcg_cut_10"])
    assert recall_at(ranking, grades) == pytest.approx(wanted["recall_10"])


@settings(deadline=None)
@given(rankings, judgements)
def test_reciprocal_rank_agrees_with_trec_eval_on_ten(
    ranking: list[str], grades: dict[str, int]
) -> None:
    first = ranking[:10]
    scores = {name: float(-place) for place, name in enumerate(first)}
    judge = pytrec_eval.RelevanceEvaluator({"q": grades}, {"recip_rank"})
    wanted = judge.evaluate({"q": scores})["q"]["recip_rank"]
    assert reciprocal_rank_at(ranking, grades) == pytest.approx(wanted)


def test_queries_without_a_positive_judgement_are_left_out_and_counted() -> None:
    result = evaluate({"a": ["x"], "b": ["x"], "c": ["y"]}, {"a": {"x": 1}, "b": {"x": 0}})
    assert (result.queries, result.left_out, result.ndcg) == (1, 2, 1.0)


def test_a_query_that_found_nothing_counts_as_zero() -> None:
    result = evaluate({"a": [], "b": ["x"]}, {"a": {"x": 1}, "b": {"x": 1}})
    assert (result.recall, result.ndcg, result.mrr) == (0.5, 0.5, 0.5)


def test_a_grade_below_one_gains_but_is_no_hit() -> None:
    grades = {"x": 0.5}
    assert ndcg_at(["x"], grades) == 1.0
    assert recall_at(["x"], grades) == reciprocal_rank_at(["x"], grades) == 0.0


def test_no_query_at_all_gives_zeros() -> None:
    assert evaluate({}, {}).queries == 0
