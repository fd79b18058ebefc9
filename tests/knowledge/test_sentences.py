import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.sentences import sentence_spans, trim


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. No paid. He left.", ["Dr. No paid.", "He left."]),
        ("It costs €3.50 a month. Fine.", ["It costs €3.50 a month.", "Fine."]),
        ("See e.g. the fees. Or not.", ["See e.g. the fees.", "Or not."]),
        ("He said “no.” Then he left.", ["He said “no.”", "Then he left."]),
        ("A line\nbreak inside. Next.", ["A line\nbreak inside.", "Next."]),
        ("Title\n\nText here.", ["Title", "Text here."]),
        ("Do this:\n- first\n- second", ["Do this:", "- first", "- second"]),
        ("1. Open it.\n2. Close it.", ["1. Open it.", "2. Close it."]),
        ("信用卡丢了。怎么办？打电话。", ["信用卡丢了。", "怎么办？", "打电话。"]),
        ("J. Smith came. Bye.", ["J. Smith came.", "Bye."]),
        ("Form No. 5 is gone. No. Never.", ["Form No. 5 is gone.", "No.", "Never."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_text_falls_into_its_sentences(text: str, wanted: list[str]) -> None:
    assert sentences(text) == wanted


def test_spans_of_a_part_count_from_the_start_of_the_whole() -> None:
    text = "Skip this. Take one. Take two. Skip."
    assert [text[a:b] for a, b in sentence_spans(text, 11, 30)] == ["Take one.", "Take two."]


@given(st.text())
def test_no_character_but_space_is_lost_or_doubled(text: str) -> None:
    kept = "".join(sentences(text))
    assert "".join(kept.split()) == "".join(text.split())


@given(st.text())
def test_trimming_keeps_all_but_outer_space(text: str) -> None:
    start, end = trim(text, 0, len(text))
    assert text[start:end] == text.strip()


def test_a_long_text_without_spaces_takes_little_time() -> None:
    assert len(sentence_spans("a." * 50_000)) == 1
