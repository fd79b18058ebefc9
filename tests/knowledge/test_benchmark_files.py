import gzip
from pathlib import Path

import pytest

from knowledge.benchmark_files import read_corpus, read_qrels, read_queries
from knowledge.errors import InputError


def written(tmp_path: Path, text: str, name: str = "file.jsonl") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_corpus_is_read_plain_or_gzipped(tmp_path: Path) -> None:
    line = '{"id": "1", "title": "T", "text": "Body 信"}\n'
    packed = tmp_path / "c.jsonl.gz"
    packed.write_bytes(gzip.compress(line.encode()))
    for path in (packed, written(tmp_path, line)):
        (document,) = read_corpus(path)
        assert (document.id, document.title, document.text) == ("1", "T", "Body 信")


def test_a_document_with_a_title_alone_is_found_by_it(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": 1, "title": "T", "text": ""}\n{"id": 2, "text": " "}\n')
    assert [(d.id, d.text) for d in read_corpus(path)] == [("1", "T")]


def test_ids_and_judgements_are_read_as_beir_and_trec_have_them(tmp_path: Path) -> None:
    corpus = written(tmp_path, '\ufeff{"_id": "d1", "title": "", "text": "Body"}\n')
    assert [d.id for d in read_corpus(corpus)] == ["d1"]
    assert read_queries(written(tmp_path, '{"_id": "q1", "text": "Why?"}\n')) == {"q1": "Why?"}
    beir = "query-id\tcorpus-id\tscore\nq1\td1\t2\n"
    trec = "q1 0 d1 2\nq1\t0\td2\t0\n"
    assert read_qrels(written(tmp_path, beir)) == {"q1": {"d1": 2}}
    assert read_qrels(written(tmp_path, trec)) == {"q1": {"d1": 2, "d2": 0}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"id": "1", "text": "a"}\n{broken\n', ":2: not valid JSON"),
        ('{"text": "a"}\n', ":1: .*id"),
        ("[]\n", ":1: "),
        ('{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}\n', ":2: 1: .*before"),
        ("\n", "empty"),
    ],
)
def test_a_broken_corpus_names_its_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(read_corpus(written(tmp_path, text)))


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress("".join(f'{{"id": {n}}}\n' for n in range(99)).encode())[:-10])
    with pytest.raises(InputError, match="cannot be read"):
        list(read_corpus(path))


def test_queries_can_be_taken_from_one_split(tmp_path: Path) -> None:
    text = '{"id": "1", "text": "a", "split": "dev"}\n{"id": "2", "text": "b", "split": "test"}\n'
    path = written(tmp_path, text)
    assert read_queries(path) == {"1": "a", "2": "b"}
    assert read_queries(path, "test") == {"2": "b"}
    with pytest.raises(InputError, match="dev, test"):
        read_queries(path, "train")


def test_judgements_are_read_with_or_without_a_header(tmp_path: Path) -> None:
    wanted = {"q": {"d": 1.0, "e": 0.0}}
    assert read_qrels(written(tmp_path, "q\td\t1\nq\te\t0\n")) == wanted
    assert read_qrels(written(tmp_path, "query-id\tdoc-id\tscore\nq\td\t1\nq\te\t0\n")) == wanted


@pytest.mark.parametrize("text", ["q\td\t1\nq d 1\n", "q\td\t1\nq\td\tx\n"])
def test_a_broken_judgement_names_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=":2:"):
        read_qrels(written(tmp_path, text))


def test_a_file_without_judgements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no judgements"):
        read_qrels(written(tmp_path, "query-id\tdoc-id\tscore\n"))
