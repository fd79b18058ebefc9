"""A retrieval evaluation query by query, the misses first."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowledge.errors import AgentError
from knowledge.evaluate import Evaluation, Judgements

COLUMNS = ("query", "ndcg@10", "recall@10", "rr@10", "wanted", "found", "text")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One query: its scores in [0, 1], the documents it wants and those found, best first."""

    query_id: str
    ndcg: float
    recall: float
    reciprocal_rank: float
    wanted: tuple[str, ...]
    found: tuple[str, ...]
    text: str


def table_rows(
    evaluation: Evaluation,
    texts: Mapping[str, str],
    rankings: Mapping[str, Sequence[str]],
    qrels: Mapping[str, Judgements],
) -> list[TableRow]:
    """The queries that were judged, the worst first."""
    rows = [
        TableRow(
            result.query_id,
            result.ndcg,
            result.recall,
            result.reciprocal_rank,
            tuple(name for name, grade in qrels[result.query_id].items() if grade > 0),
            tuple(rankings[result.query_id]),
            texts[result.query_id],
        )
        for result in evaluation.results
    ]
    return sorted(rows, key=lambda row: (row.ndcg, row.query_id))


def write_table(path: Path, rows: Sequence[TableRow]) -> None:
    """Writes the rows as tab-separated values with a header.

    Raises:
        AgentError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in rows:
                scores = (f"{x:.4f}" for x in (row.ndcg, row.recall, row.reciprocal_rank))
                names = (" ".join(row.wanted), " ".join(row.found))
                writer.writerow([row.query_id, *scores, *names, " ".join(row.text.split())])
    except OSError as error:
        raise AgentError(f"{path}: cannot be written ({error.strerror or error})") from error
