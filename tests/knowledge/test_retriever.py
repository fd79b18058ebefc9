from pathlib import Path

import pytest

from knowledge.collection import Collection
from knowledge.errors import AgentError
from knowledge.passage import Document
from knowledge.retriever import Retriever, open_retriever
from tests.knowledge.fake_encoder import FakeEncoder


@pytest.fixture
def retriever(tmp_path: Path, documents: Path, encoder: FakeEncoder) -> Retriever:
    Collection.open(tmp_path / "index", encoder).sync(documents)
    return open_retriever(tmp_path / "index", encoder=encoder)


def test_the_passage_that_answers_comes_first_with_its_place(retriever: Retriever) -> None:
    best = retriever.search("block the card in the app")[0]
    assert best.passage.document_id == "cards/block.md"
    assert best.passage.headings == ("Block a card",)
    assert best.passage.text == "Open the app, choose the card and press Block."
    assert best.passage.start == len("# Block a card\n\n")


def test_the_source_s_metadata_comes_with_it(retriever: Retriever) -> None:
    best = retriever.search("what costs a transfer abroad?")[0]
    assert best.passage.metadata["url"] == "https://example.com/fees"


def test_scores_fall_and_lie_between_0_and_1(retriever: Retriever) -> None:
    scores = [scored.score for scored in retriever.search_all("branches open card", limit=9)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_a_score_is_made_of_its_two_parts(retriever: Retriever) -> None:
    best = retriever.search_all("branches open")[0]
    assert best.dense is not None
    assert best.lexical is not None
    assert best.score == pytest.approx((best.dense + best.lexical) / 2)


def test_what_the_encoder_cannot_read_is_left_to_the_words(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeEncoder, "unknown_share", lambda self, text: 1.0)
    best = retriever.search_all("branches open")[0]
    assert best.score == best.lexical


def test_below_the_floor_nothing_is_returned(retriever: Retriever) -> None:
    assert retriever.search("quantum chromodynamics lectures") == []
    assert retriever.search_all("quantum chromodynamics lectures")


def test_the_floor_can_be_set(tmp_path: Path, retriever: Retriever) -> None:
    high = open_retriever(retriever.folder, encoder=retriever.encoder, floor=0.99)
    assert high.search("block the card in the app") == []


@pytest.mark.parametrize("query", ["", "  ", "🎉", "?!", "信用卡", "x" * 100_000, "\ud800"])
def test_odd_questions_are_answered_with_silence(retriever: Retriever, query: str) -> None:
    assert retriever.search(query) == []


def test_a_limit_is_kept(retriever: Retriever) -> None:
    assert len(retriever.search_all("open the app", limit=2)) == 2
    assert retriever.search_all("open the app", limit=0) == []


def test_repeated_texts_are_shown_once(tmp_path: Path, encoder: FakeEncoder) -> None:
    collection = Collection.open(tmp_path / "index", encoder)
    collection.upsert(Document(str(n), "", "the very same text") for n in range(5))
    retriever = open_retriever(tmp_path / "index", encoder=encoder)
    assert len(retriever.search_all("same text", limit=5)) == 1


def test_each_side_can_be_searched_alone(retriever: Retriever) -> None:
    for mode in ("dense", "lexical"):
        best = retriever.search_all("branches morning", mode=mode)[0]
        assert best.passage.document_id == "hours.txt"
    assert retriever.search_all("chromodynamics", mode="lexical") == []


def test_an_open_retriever_follows_changes(
    retriever: Retriever, documents: Path, encoder: FakeEncoder
) -> None:
    (documents / "hours.txt").write_text("The zebra sleeps.")
    Collection.open(retriever.folder, encoder).sync(documents)
    assert retriever.search("zebra sleeps")[0].passage.text == "The zebra sleeps."
    texts = [s.passage.text for s in retriever.search_all("branches nine morning", limit=9)]
    assert "Our branches open at nine in the morning." not in texts


def test_without_an_index_the_command_to_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="agent knowledge index"):
        open_retriever(tmp_path / "index")


def test_an_index_without_words_still_finds_by_meaning(
    retriever: Retriever, encoder: FakeEncoder, tmp_path: Path
) -> None:
    import shutil

    shutil.rmtree(next(retriever.folder.glob("0*")) / "words")
    again = open_retriever(retriever.folder, encoder=encoder)
    assert again.search_all("branches open")[0].passage.document_id == "hours.txt"
