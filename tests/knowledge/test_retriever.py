from collections.abc import Sequence
from pathlib import Path

import pytest

from knowledge.collection import Collection
from knowledge.errors import AgentError
from knowledge.passage import Document
from knowledge.retriever import Retriever, SearchOptions, open_retriever
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


def reopened(retriever: Retriever, options: SearchOptions) -> Retriever:
    return open_retriever(retriever.folder, encoder=retriever.encoder, options=options)


def test_scores_fall_and_lie_between_0_and_1(retriever: Retriever) -> None:
    plain = reopened(retriever, SearchOptions(diversity=0.0))
    scores = [scored.score for scored in plain.search_all("branches open card", limit=9)]
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
    high = open_retriever(
        retriever.folder, encoder=retriever.encoder, options=SearchOptions(floor=1.0)
    )
    assert high.search("block the card in the app") == []


@pytest.mark.parametrize("query", ["", "  ", "🎉", "?!", "信用卡", "x" * 100_000, "\ud800"])
def test_odd_questions_are_answered_with_silence(retriever: Retriever, query: str) -> None:
    assert retriever.search(query) == []


def test_a_limit_is_kept(retriever: Retriever) -> None:
    assert len(retriever.search_all("open the app", limit=2)) == 2
    assert retriever.search_all("open the app", limit=0) == []


def test_a_copy_in_another_document_does_not_make_an_answer_less_sure(
    tmp_path: Path, documents: Path, encoder: FakeEncoder
) -> None:
    question = "block the card in the app"
    collection = Collection.open(tmp_path / "index", encoder)
    collection.sync(documents)
    (before,) = open_retriever(tmp_path / "index", encoder=encoder).search(question, limit=1)
    (documents / "copy.md").write_bytes((documents / "cards" / "block.md").read_bytes())
    collection.sync(documents)
    (after,) = open_retriever(tmp_path / "index", encoder=encoder).search(question, limit=1)
    assert after.confidence == pytest.approx(before.confidence, abs=0.02)


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


def test_a_near_repeat_comes_after_what_is_new(tmp_path: Path, encoder: FakeEncoder) -> None:
    collection = Collection.open(tmp_path / "index", encoder)
    texts = ["open branches open today now", "open branches open today", "branches and gardens"]
    collection.upsert(Document(str(n), "", text) for n, text in enumerate(texts))
    orders = []
    for diversity in (0.0, 0.6):
        searching = open_retriever(
            collection.folder, encoder=encoder, options=SearchOptions(diversity=diversity)
        )
        found = searching.search_all("open branches open today now")
        orders.append([scored.passage.document_id for scored in found])
    assert orders == [["0", "1", "2"], ["0", "2", "1"]]


def test_a_reranker_that_cannot_be_loaded_is_told_once_and_left_out(
    retriever: Retriever, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def order(self, query: str, texts: Sequence[str]) -> list[int]:
            raise AgentError("the reranker 'x' cannot be loaded")

    plain = [one.passage.id for one in retriever.search_all("open the app")]
    broken = reopened(retriever, SearchOptions(reranker=Broken()))
    for _ in range(2):
        assert [one.passage.id for one in broken.search_all("open the app")] == plain
    assert caplog.text.count("cannot be loaded") == 1


def test_a_reranker_says_the_order_and_leaves_the_scores(retriever: Retriever) -> None:
    class Backwards:
        def order(self, query: str, texts: Sequence[str]) -> list[int]:
            return list(reversed(range(len(texts))))

    plain = reopened(retriever, SearchOptions(diversity=0.0)).search_all("branches card", limit=3)
    options = SearchOptions(diversity=0.0, reranker=Backwards())
    turned = reopened(retriever, options).search_all("branches card", limit=4)
    assert [s.passage.id for s in turned][-3:] == [s.passage.id for s in plain][::-1]
    assert turned[-1].score == plain[0].score


def test_only_documents_with_the_metadata_asked_for_are_found(retriever: Retriever) -> None:
    for where, wanted in (
        ({"tags": "prices"}, {"fees.md"}),
        ({"tags": "price"}, set()),
        ({"language": "en"}, {"fees.md", "cards/block.md", "hours.txt"}),
        ({"language": "en", "tags": "costs"}, {"fees.md"}),
        ({'url" or 1': "x"}, set()),
    ):
        found = retriever.search_all("branches open card", limit=9, where=where)
        assert {scored.passage.document_id for scored in found} == wanted


def test_a_pair_is_found_by_its_question_and_answers_whole(
    tmp_path: Path, encoder: FakeEncoder
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    answer = "You can. " * 80
    (folder / "faq.csv").write_text(f"question,answer\nMay I pay abroad?,{answer}\n")
    Collection.open(tmp_path / "index", encoder).sync(folder)
    found = open_retriever(tmp_path / "index", encoder=encoder).search("may I pay abroad?")
    assert [scored.passage.text for scored in found] == [answer.strip()]
    assert found[0].dense == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("query", ["", " \n", "\0", "lorem " * 20_000, "中" * 50_000, "🙂" * 999])
def test_any_text_can_be_asked(retriever: Retriever, query: str) -> None:
    for scored in retriever.search_all(query):
        assert 0.0 <= (scored.confidence or 0.0) <= 1.0
