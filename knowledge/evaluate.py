"""Retrieval metrics as trec_eval counts them: recall@k, reciprocal rank, nDCG@k."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Judgements of one query: document id to grade; 0 = not relevant.
Judgements = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What one query scored, each in [0, 1], higher is better."""

    query_id: str
    recall: float
    ndcg: float
    reciprocal_rank: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Means over the queries with a judgement above 0; `left_out` counts the others."""

    recall: float
    ndcg: float
    mrr: float
    queries: int
    left_out: int
    results: tuple[QueryResult, ...] = ()


def recall_at(ranking: Sequence[str], judgements: Judgements, k: int = 10) -> float:
    """The share of documents with a grade of 1 or more that stand among the first `k`.

    >>> recall_at(["a", "b", "c"], {"a": 1, "c": 1, "z": 2}, k=2)
    0.3333333333333333
    """
    relevant = {name for name, grade in judgements.items() if grade >= 1}
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank_at(ranking: Sequence[str], judgements: Judgements, k: int = 10) -> float:
    """One over the place of the first document with a grade of 1 or more, 0 beyond `k`.

    >>> reciprocal_rank_at(["a", "b"], {"b": 1})
    0.5
    """
    for place, name in enumerate(ranking[:k], 1):
        if judgements.get(name, 0) >= 1:
            return 1.0 / place
    return 0.0


def ndcg_at(ranking: Sequence[str], judgements: Judgements, k: int = 10) -> float:
    """Normalized discounted cumulative gain with the grade itself as gain.

    Source: Järvelin and Kekäläinen 2002, as trec_eval's ndcg_cut computes it.

    >>> round(ndcg_at(["b", "a"], {"a": 2, "b": 1}), 4)
    0.8597
    """
    ideal = _dcg(sorted((grade for grade in judgements.values() if grade > 0), reverse=True)[:k])
    gained = _dcg([max(0.0, judgements.get(name, 0.0)) for name in ranking[:k]])
    return gained / ideal if ideal else 0.0


def evaluate(
    rankings: Mapping[str, Sequence[str]], qrels: Mapping[str, Judgements], *, k: int = 10
) -> Evaluation:
    """Means of the metrics over `rankings`, document ids best first under each query's id.

    A query without a judgement above 0 is left out and counted.
    """
    results = []
    for query_id, ranking in rankings.items():
        judgements = qrels.get(query_id, {})
        if any(grade > 0 for grade in judgements.values()):
            results.append(
                QueryResult(
                    query_id,
                    recall=recall_at(ranking, judgements, k),
                    ndcg=ndcg_at(ranking, judgements, k),
                    reciprocal_rank=reciprocal_rank_at(ranking, judgements, k),
                )
            )
    return Evaluation(
        recall=_mean([result.recall for result in results]),
        ndcg=_mean([result.ndcg for result in results]),
        mrr=_mean([result.reciprocal_rank for result in results]),
        queries=len(results),
        left_out=len(rankings) - len(results),
        results=tuple(results),
    )


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, 1))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
