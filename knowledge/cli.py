"""The commands `agent knowledge index|search|evaluate`."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowledge.encoder_source import DEFAULT_ENCODER
from knowledge.errors import AgentError, InputError
from knowledge.options import KnowledgeOptions
from knowledge.project_folder import find_project

if TYPE_CHECKING:
    from knowledge.collection import SyncReport
    from knowledge.encoder import Encoder
    from knowledge.evaluate import Evaluation
    from knowledge.evaluation_table import TableRow
    from knowledge.folder_changes import Progress
    from knowledge.passage import ScoredPassage

# A search waits so long for another writer of the index, such as a server that takes up a change.
SEARCH_WAITS_S = 5.0


class SearchMode(StrEnum):
    """How passages are found."""

    dense = "dense"
    lexical = "lexical"
    hybrid = "hybrid"


ReadOptions = Callable[[Path], KnowledgeOptions]
ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        show_default=False,
        help="The assistant's folder. Default: the current folder if it holds a domain.yml or "
        "domain/, else the bundled bank assistant.",
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder", metavar="NAME", show_default=False, help="Instead of the setting's encoder."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document to standard output.")
]
InputFile = typer.Option(exists=True, dir_okay=False, readable=True, metavar="FILE")
QueryArgument = Annotated[str, typer.Argument(help="A question or some words.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]
WhereOption = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="K=V", help="Only documents with this metadata."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Those below the floor, too.")]


def register(app: typer.Typer, read_options: ReadOptions | None = None) -> typer.Typer:
    """Adds the group `knowledge`, which is returned.

    `read_options` tells a project's settings for it.
    """
    commands = _Commands(read_options or (lambda _: KnowledgeOptions()))
    group = typer.Typer(
        help="The knowledge base: index, search, evaluate, gaps.", no_args_is_help=True
    )
    group.command("index")(commands.index)
    group.command("search")(commands.search)
    group.command("evaluate")(commands.evaluate)
    app.add_typer(group, name="knowledge")
    return group


class _Commands:
    """The commands, which share how a project's settings are read."""

    def __init__(self, read_options: ReadOptions) -> None:
        self._read_options = read_options

    def index(
        self,
        project: ProjectOption = None,
        encoder: EncoderOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Bring the index in step with the project's knowledge folder.

        Only new and changed files are read:

        agent knowledge index
        """
        root = find_project(project)
        started = time.perf_counter()
        options = self._read_options(root)
        name = encoder or options.encoder
        report = _sync(root, _load_encoder(name), options)
        took_s = round(time.perf_counter() - started, 3)
        if as_json:
            _print_json({**asdict(report), "took_s": took_s})
            return
        _show_skipped(report)
        print(
            f"{report.documents} documents, {report.passages} passages: {report.added} added, "
            f"{report.updated} updated, {report.deleted} deleted in {took_s:.1f} s"
        )

    def search(
        self,
        query: QueryArgument,
        project: ProjectOption = None,
        limit: LimitOption = 5,
        where: WhereOption = None,
        everything: AllOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Show the passages that answer a question, best first, with their scores.

        agent knowledge search "how do I block my card?"
        """
        from knowledge.open_project import open_project_retriever

        if not query.strip():
            raise InputError("the query is empty; give a question or some words")
        root = find_project(project)
        options = self._read_options(root)
        encoder = _load_encoder(options.encoder)
        _sync_if_possible(root, encoder, options)
        retriever = open_project_retriever(root, options, encoder=encoder)
        if retriever.notice:
            sys.stderr.write(retriever.notice + "\n")
        search = retriever.search_all if everything else retriever.search
        found = search(query, limit=limit, where=_read_where(where))
        if as_json:
            _print_json([_found_as_json(scored) for scored in found])
        else:
            _show_found(found, retriever.floor)

    def evaluate(
        self,
        corpus: Annotated[Path, InputFile],
        queries: Annotated[Path, InputFile],
        qrels: Annotated[Path, InputFile],
        split: Annotated[str | None, typer.Option(help="Only queries of this split.")] = None,
        mode: Annotated[SearchMode, typer.Option()] = SearchMode.hybrid,
        misses: Annotated[int, typer.Option(min=0, help="Show so many of the worst.")] = 0,
        table: Annotated[
            Path | None,
            typer.Option(metavar="FILE", dir_okay=False, help="Write a row a query, as TSV."),
        ] = None,
        project: ProjectOption = None,
        encoder: EncoderOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Measure retrieval on a corpus with queries and judgements (JSON lines and TSV).

        agent knowledge evaluate --corpus corpus.jsonl.gz --queries queries.jsonl
        --qrels qrels.tsv --split test
        """
        from knowledge.benchmark import benchmark_retriever, rank_documents
        from knowledge.benchmark_files import read_qrels, read_queries
        from knowledge.evaluate import evaluate
        from knowledge.evaluation_table import table_rows, write_table

        started = time.perf_counter()
        texts, judgements = read_queries(queries, split), read_qrels(qrels)
        name = encoder or self._default_encoder(project)
        with _progress("indexing") as progress:
            retriever = benchmark_retriever(corpus, _load_encoder(name), progress=progress)
        with _progress("searching") as progress:
            rankings = rank_documents(retriever, texts, mode=mode.value, progress=progress)
        result = evaluate(rankings, judgements)
        if not result.queries:
            raise InputError("no query has a judgement above 0 in this file", path=qrels)
        rows = table_rows(result, texts, rankings, judgements)
        if table is not None:
            write_table(table, rows)
        if as_json:
            took_s = round(time.perf_counter() - started, 3)
            _print_json(_metrics(result) | {"mode": mode.value, "took_s": took_s})
        else:
            _show_evaluation(result, rows[:misses])

    def _default_encoder(self, project: Path | None) -> str:
        """A project's encoder when one is named; measuring needs no project."""
        return (
            DEFAULT_ENCODER
            if project is None
            else self._read_options(find_project(project)).encoder
        )


def _read_where(given: list[str] | None) -> dict[str, str]:
    wanted = {}
    for text in given or ():
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise InputError(f"--where takes name=value, got {text!r}")
        wanted[name.strip()] = value.strip()
    return wanted


def _sync_if_possible(root: Path, encoder: "Encoder", options: KnowledgeOptions) -> None:
    """Brings the index in step, unless a full disk or another writer keeps it from that."""
    from knowledge.open_project import has_index

    try:
        report = _sync(root, encoder, options, lock_timeout_s=SEARCH_WAITS_S)
    except InputError:
        raise
    except AgentError as error:
        if not has_index(root):
            raise
        _say(f"{error}\nthe index is searched as it is; what changed since is not in it")
        return
    if report.skipped:
        _say(f"{len(report.skipped)} left out; `agent knowledge index` says what and why")


def _sync(
    root: Path,
    encoder: "Encoder",
    options: KnowledgeOptions,
    **waiting: float,
) -> "SyncReport":
    from knowledge.open_project import sync_project

    with _progress("indexing") as progress:
        report = sync_project(root, options, encoder, progress=progress, **waiting)
    for notice in report.notices:
        _say(notice)
    return report


def _load_encoder(name: str) -> "Encoder":
    from knowledge.convert import encoder_folder
    from knowledge.encoder import Encoder

    folder = encoder_folder(name, notify=_say)
    return Encoder.load(folder, threads=_cores())


def _cores() -> int:
    return min(4, os.cpu_count() or 1)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


@contextmanager
def _progress(what: str) -> Iterator["Progress"]:
    """A bar on standard error that appears with the first report."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def _show_skipped(report: "SyncReport") -> None:
    for skipped in report.skipped:
        _say(f"skipped {skipped.path}: {skipped.reason}")


def _found_as_json(scored: "ScoredPassage") -> dict[str, Any]:
    passage = scored.passage
    return {
        "id": passage.id,
        "title": passage.title,
        "text": passage.text,
        "score": round(scored.score, 6),
        "confidence": None if scored.confidence is None else round(scored.confidence, 6),
        "source": passage.metadata.get("url") or passage.document_id,
        "document_id": passage.document_id,
        "headings": list(passage.headings),
        "start": passage.start,
        "end": passage.end,
    }


def _show_found(found: list["ScoredPassage"], floor: float) -> None:
    if not found:
        print(f"No passage answers this surely enough ({floor:.2f}); --all shows the nearest.")
    elif found[0].confidence is not None:
        print(f"Confidence {found[0].confidence:.2f}; from {floor:.2f} on it is answered.")
    for scored in found:
        shown = _found_as_json(scored)
        print(f"{scored.score:.3f}  {scored.passage.heading_line}  [{shown['source']}]")
        print("       " + " ".join(scored.passage.text.split())[:300])


def _metrics(result: "Evaluation") -> dict[str, Any]:
    return {
        "recall@10": round(result.recall, 6),
        "ndcg@10": round(result.ndcg, 6),
        "mrr@10": round(result.mrr, 6),
        "queries": result.queries,
        "left_out": result.left_out,
    }


def _show_evaluation(result: "Evaluation", misses: "Sequence[TableRow]") -> None:
    for metric, value in _metrics(result).items():
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        print(f"{metric:<10} {shown}")
    for miss in misses:
        print(f"{miss.ndcg:.3f}  {miss.query_id}  {' '.join(miss.text.split())[:100]}")
        print(f"       wanted {', '.join(miss.wanted)}; found {', '.join(miss.found[:3])}")


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))
