import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputError
from agent.project.markup import overlaps, parse_markup, scan_markup
from agent.project.types import EntityAnnotation


def spans(text: str) -> list[tuple[str, str, object, str | None, str | None]]:
    plain, entities = parse_markup(text)
    return [(plain[e.start : e.end], e.label, e.value, e.role, e.group) for e in entities]


@pytest.mark.parametrize(
    ("raw", "plain", "expected"),
    [
        ("plain", "plain", []),
        ("a [word] in brackets", "a [word] in brackets", []),
        ("to [Rome](city)", "to Rome", [("Rome", "city", "Rome", None, None)]),
        ("to [NYC](city:New York)", "to NYC", [("NYC", "city", "New York", None, None)]),
        ("at [9](time:9:30)", "at 9", [("9", "time", "9:30", None, None)]),
        (
            'from [Rome]{"entity": "city", "role": "from"} to [NYC]{"entity": "city", '
            '"role": "to", "group": "1", "value": "New York"}',
            "from Rome to NYC",
            [("Rome", "city", "Rome", "from", None), ("NYC", "city", "New York", "to", "1")],
        ),
        (
            '[Rome][{"entity": "city"}, {"entity": "place", "role": "to"}]',
            "Rome",
            [("Rome", "city", "Rome", None, None), ("Rome", "place", "Rome", "to", None)],
        ),
        ("😀 [东京](城市) ok", "😀 东京 ok", [("东京", "城市", "东京", None, None)]),
        ("[مرحبا](greeting)", "مرحبا", [("مرحبا", "greeting", "مرحبا", None, None)]),
    ],
)
def test_markup_gives_the_plain_text_and_its_spans(
    raw: str, plain: str, expected: list[tuple[str, str, object, str | None, str | None]]
) -> None:
    assert parse_markup(raw)[0] == plain
    assert spans(raw) == expected


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ('[x]{"entity"}', "is not JSON"),
        ('[x]{"role": "a"}', "names no `entity`"),
        ('[x]{"entity": 5}', "names no `entity`"),
        ('[x]{"entity": "a", "colour": "b"}', "colour is unknown"),
    ],
)
def test_markup_that_loses_an_entity_is_an_error(raw: str, word: str) -> None:
    assert any(word in problem for problem in scan_markup(raw).problems)
    with pytest.raises(InputError, match="bad entity markup"):
        parse_markup(raw)


@pytest.mark.parametrize("raw", ["[x][y]", "[x][]", "[x][(y]"])
def test_markup_that_names_no_entity_is_doubted_and_its_words_stay_as_in_rasa(raw: str) -> None:
    marked = scan_markup(raw)
    assert (marked.text, marked.entities, marked.problems) == ("x", (), ())
    assert any("write [text](label)" in doubt for doubt in marked.doubts)


@pytest.mark.parametrize(
    "raw",
    ["[x](", "x](city)", "[](city)", "[x]{", '[x] {"entity": "a"}', '[a [b]]{"entity": "a"}'],
)
def test_what_only_looks_like_markup_is_doubted_and_kept_as_text(raw: str) -> None:
    marked = scan_markup(raw)
    assert marked.text == raw
    assert marked.doubts


@pytest.mark.parametrize("unit", ["[", "]", "[x](", "[x](a:", "[x]{", "[x][", "](", "[x](a)"])
def test_a_hostile_text_of_100_kb_takes_little_time(unit: str) -> None:
    started = time.process_time()
    scan_markup(unit * (100_000 // len(unit)))
    assert time.process_time() - started < 30


words = st.text("abcé😀东 ", min_size=1, max_size=6).filter(str.strip)


@given(parts=st.lists(st.tuples(words, st.none() | st.sampled_from(["city", "time"])), max_size=6))
def test_spans_cut_their_words_out_of_the_plain_text(
    parts: list[tuple[str, str | None]],
) -> None:
    raw = "".join(f"[{word}]({label})" if label else word for word, label in parts)
    plain, entities = parse_markup(raw)
    assert plain == "".join(word for word, _ in parts)
    assert [(plain[e.start : e.end], e.label) for e in entities] == [
        (word, label) for word, label in parts if label
    ]


def test_overlapping_spans_are_found_and_equal_ones_allowed() -> None:
    a, b = EntityAnnotation(0, 4, "a", ""), EntityAnnotation(2, 6, "b", "")
    assert overlaps((b, a)) == (a, b)
    assert overlaps((a, EntityAnnotation(0, 4, "b", ""))) == ()
    assert overlaps((a, EntityAnnotation(4, 6, "b", ""))) == ()
