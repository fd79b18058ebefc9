import json
from pathlib import Path

import filelock
import pytest
import typer
from typer.testing import CliRunner

import knowledge.cli
from knowledge.cli import register
from knowledge.errors import AgentError, InputError
from knowledge.open_project import INDEX
from knowledge.options import KnowledgeOptions
from tests.knowledge.fake_encoder import FakeEncoder


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(knowledge.cli, "_load_encoder", lambda _: FakeEncoder())
    monkeypatch.setenv("INTENT_AGENT_HOME", str(tmp_path / "home"))


def run(*arguments: str, options: KnowledgeOptions | None = None) -> str:
    app = typer.Typer()
    register(app, lambda _: options or KnowledgeOptions())
    result = CliRunner().invoke(app, ["knowledge", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return str(result.stdout)


@pytest.fixture
def project(documents: Path) -> str:
    return str(documents.parent)


def test_index_says_what_it_did(project: str) -> None:
    assert "3 documents, 4 passages: 3 added" in run("index", "--project", project)
    again = json.loads(run("index", "--project", project, "--json"))
    assert (again["added"], again["documents"], again["skipped"]) == (0, 3, [])


def test_search_shows_passages_with_source_and_score(project: str) -> None:
    shown = run("search", "what costs a transfer abroad", "--project", project)
    assert "https://example.com/fees" in shown
    assert "A transfer abroad costs two euros." in shown


def test_search_as_json_is_one_list_of_passages(project: str, documents: Path) -> None:
    found = json.loads(run("search", "block the card in the app", "--project", project, "--json"))
    assert {"id", "title", "text", "score", "source"} <= set(found[0])
    assert found[0]["source"] == "cards/block.md"
    text = (documents / found[0]["document_id"]).read_text()
    assert text[found[0]["start"] : found[0]["end"]] == found[0]["text"]


def test_search_reads_changed_files_first(project: str, documents: Path) -> None:
    run("search", "zebra", "--project", project)
    (documents / "zebra.md").write_text("The zebra sleeps.")
    assert "zebra.md" in run("search", "zebra sleeps", "--project", project)


def test_while_another_process_indexes_the_index_is_searched_as_it_is(
    project: str, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("index", "--project", project)
    monkeypatch.setattr(knowledge.cli, "SEARCH_WAITS_S", 0.0)
    (documents / "zebra.md").write_text("The zebra sleeps.")
    with filelock.FileLock(Path(project) / INDEX / "lock"):
        assert "cards/block.md" in run("search", "block the card", "--all", "--project", project)
        assert "zebra.md" not in run("search", "zebra sleeps", "--all", "--project", project)
    assert "zebra.md" in run("search", "zebra sleeps", "--all", "--project", project)


def test_a_search_without_any_index_says_what_keeps_it(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge.cli, "SEARCH_WAITS_S", 0.0)
    (Path(project) / INDEX).mkdir(parents=True)
    lock = filelock.FileLock(Path(project) / INDEX / "lock")
    with lock, pytest.raises(AgentError, match="another process is still writing"):
        run("search", "zebra", "--project", project)


def test_nothing_found_is_an_empty_list(project: str) -> None:
    assert json.loads(run("search", "chromodynamics", "--project", project, "--json")) == []
    assert "--all" in run("search", "chromodynamics", "--project", project)
    assert json.loads(run("search", "chromodynamics", "--all", "--project", project, "--json"))


def test_the_settings_floor_is_kept(project: str) -> None:
    options = KnowledgeOptions(floor=1.0)
    arguments = ("search", "block the card in the app", "--project", project, "--json")
    assert json.loads(run(*arguments, options=options)) == []


@pytest.mark.parametrize("query", ["", "   "])
def test_an_empty_query_is_refused(project: str, query: str) -> None:
    with pytest.raises(InputError, match="empty"):
        run("search", query, "--project", project)


def test_a_project_without_knowledge_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no knowledge folder"):
        run("index", "--project", str(tmp_path))


@pytest.fixture
def benchmark_files(tmp_path: Path) -> list[str]:
    corpus = [
        {"id": "a", "title": "Cards", "text": "block a lost card"},
        {"id": "b", "title": "Fees", "text": "transfer abroad costs"},
    ]
    queries = [
        {"id": "1", "text": "lost card", "split": "test"},
        {"id": "2", "text": "transfer costs", "split": "test"},
        {"id": "3", "text": "nothing", "split": "test"},
        {"id": "4", "text": "other", "split": "train"},
    ]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "qrels.tsv").write_text("query-id\tdoc-id\tscore\n1\ta\t1\n2\tb\t1\n2\ta\t1\n")
    arguments = []
    for option, name in (("corpus", "corpus.jsonl"), ("queries", "queries.jsonl")):
        arguments += [f"--{option}", str(tmp_path / name)]
    return [*arguments, "--qrels", str(tmp_path / "qrels.tsv"), "--split", "test"]


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_evaluate_counts_by_document(benchmark_files: list[str], mode: str) -> None:
    found = json.loads(run("evaluate", *benchmark_files, "--mode", mode, "--json"))
    assert found["queries"] == 2
    assert found["left_out"] == 1
    assert found["mrr@10"] == 1.0
    assert found["recall@10"] == (0.75 if mode == "lexical" else 1.0)


def test_evaluate_lists_the_worst_queries(benchmark_files: list[str]) -> None:
    shown = run("evaluate", *benchmark_files, "--mode", "lexical", "--misses", "1")
    assert "transfer costs" in shown


def test_a_corpus_is_indexed_once(
    benchmark_files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = FakeEncoder()
    monkeypatch.setattr(knowledge.cli, "_load_encoder", lambda _: encoder)
    run("evaluate", *benchmark_files, "--json")
    encoder.encoded.clear()
    run("evaluate", *benchmark_files, "--json")
    assert sorted(encoder.encoded) == ["lost card", "nothing", "transfer costs"]


def test_each_command_shows_an_example() -> None:
    for command in ("index", "search", "evaluate"):
        assert f"agent knowledge {command}" in run(command, "--help")
