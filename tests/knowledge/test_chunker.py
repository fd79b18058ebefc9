from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.chunker import chunk, sections
from knowledge.passage import Document, Passage
from tests.knowledge.fake_encoder import FakeEncoder

TOKENS = FakeEncoder().token_offsets


def markdown(text: str, title: str = "Title") -> Document:
    return Document(id="a.md", title=title, text=text, markup="markdown")


def cut(document: Document, max_tokens: int = 40, overlap: int = 4) -> list[Passage]:
    return chunk(document, TOKENS, max_tokens=max_tokens, overlap=overlap)


def test_each_heading_opens_a_passage_that_knows_its_path() -> None:
    passages = cut(markdown("Intro.\n\n# A\n\nOne.\n\n## B\n\nTwo.\n\n# C\n\nThree.\n"))
    assert [(p.text, p.headings) for p in passages] == [
        ("Intro.", ()),
        ("One.", ("A",)),
        ("Two.", ("A", "B")),
        ("Three.", ("C",)),
    ]


def test_underlined_headings_count_too() -> None:
    passages = cut(markdown("Big\n===\n\nOne.\n\nSmall\n-----\n\nTwo.\n"))
    assert [p.headings for p in passages] == [("Big",), ("Big", "Small")]


def test_a_heading_inside_a_code_fence_is_text() -> None:
    passages = cut(markdown("# A\n\n```\n# not a heading\n```\n\nAfter.\n"))
    assert [p.headings for p in passages] == [("A",)]
    assert "# not a heading" in passages[0].text


def test_marks_and_links_leave_a_heading() -> None:
    passages = cut(markdown("## **Fees** for [cards](https://example.com) `x_y`\n\nText.\n"))
    assert passages[0].headings == ("Fees for cards x_y",)


def test_a_hash_in_plain_text_is_no_heading() -> None:
    assert cut(Document("a.txt", "T", "# one\n\ntwo"))[0].text == "# one\n\ntwo"


def test_front_matter_is_no_passage() -> None:
    text = "---\ntitle: x\n---\nBody."
    document = Document("a.md", "x", text, markup="markdown", body_start=17)
    assert [p.text for p in cut(document)] == ["Body."]


def test_a_long_section_is_cut_between_sentences_with_overlap() -> None:
    text = " ".join(f"Sentence number {n} ends here." for n in range(30))
    passages = cut(markdown(text), overlap=6)
    assert len(passages) > 4
    assert all(p.text.endswith("here.") and p.text.startswith("Sentence") for p in passages)
    for before, after in pairwise(passages):
        assert before.start < after.start <= before.end


def test_a_sentence_longer_than_the_window_is_cut_between_tokens() -> None:
    text = " ".join(f"word{n}" for n in range(100))
    passages = cut(markdown(text), max_tokens=40, overlap=0)
    assert all(len(TOKENS(p.text)) <= 30 for p in passages)
    assert " ".join(p.text for p in passages) == text


def test_a_text_as_long_as_a_book_is_cut_run_by_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.chunker.MAX_CHARACTERS", 200)
    asked: list[int] = []

    def offsets(text: str) -> list[tuple[int, int]]:
        asked.append(len(text))
        return TOKENS(text)

    document = markdown("word " * 200 + "x" * 500 + "\n\nshort\n\nend")
    passages = chunk(document, offsets, max_tokens=40, overlap=0)
    assert max(asked) <= 200
    assert "".join("".join(p.text for p in passages).split()) == "".join(document.text.split())


def test_passages_are_numbered_under_their_document() -> None:
    passages = cut(markdown("# A\n\nOne.\n\n# B\n\nTwo.\n"))
    assert [p.id for p in passages] == ["a.md#0", "a.md#1"]


@pytest.mark.parametrize("text", ["", " \n\t\n", "#\n\n##  \n"])
def test_nothing_to_find_gives_no_passage(text: str) -> None:
    assert cut(markdown(text)) == []


def test_a_document_of_headings_alone_is_found_by_them() -> None:
    (passage,) = cut(markdown("# We are closed\n\n## on Mondays\n"))
    assert passage.text == "We are closed\n\n## on Mondays"
    assert passage.headings == ()


PIECES = st.sampled_from(
    [
        "# Head\n",
        "## Sub\n",
        "word ",
        "Stop. ",
        "\n",
        "\n\n",
        "- item\n",
        "```\n",
        "表格。",
        "| a |\n",
        "===\n",
    ]
)


@given(st.lists(PIECES | st.text(max_size=6), max_size=60), st.integers(8, 40), st.integers(0, 8))
def test_passages_are_slices_that_fit_and_cover_the_sections(
    pieces: list[str], max_tokens: int, overlap: int
) -> None:
    document = markdown("".join(pieces))
    passages = cut(document, max_tokens, overlap)
    seen: set[int] = set()
    for passage in passages:
        assert document.text[passage.start : passage.end] == passage.text
        assert 0 < len(TOKENS(passage.text)) <= max_tokens
        seen.update(range(passage.start, passage.end))
    for section in sections(document):
        for start, end in section.blocks:
            missing = [at for at in range(start, end) if at not in seen]
            assert not "".join(document.text[at] for at in missing).strip()
