"""Where spans end: before the sentence's punctuation, unless the label's own examples have it."""

from agent.understanding.bio import TaggedSpan
from agent.understanding.edges import Edges
from agent.understanding.labels import SpanType


def found(text: str, words: str, label: str = "place") -> TaggedSpan:
    start = text.index(words)
    return TaggedSpan(start, start + len(words), SpanType(label), 0.9)


def words_of(edges: Edges, text: str, words: str, label: str = "place") -> list[str]:
    return [text[s.start : s.end] for s in edges.trim(text, [found(text, words, label)])]


def known(*examples: tuple[str, str]) -> Edges:
    spans = [[TaggedSpan(0, len(text), SpanType(label), 1.0)] for text, label in examples]
    return Edges.of([text for text, _ in examples], spans)


def test_the_sentences_punctuation_is_no_part_of_a_span() -> None:
    edges = known(("Rome", "place"))
    assert words_of(edges, "I live in Rome.", "Rome.") == ["Rome"]
    assert words_of(edges, 'in "New York", please', '"New York",') == ["New York"]
    assert words_of(edges, "我住在北京。", "北京。") == ["北京"]


def test_punctuation_that_the_labels_examples_end_with_stays() -> None:
    edges = known(("Acme Inc.", "company"), ("Rome", "place"))
    assert words_of(edges, "at Acme Inc.", "Acme Inc.", "company") == ["Acme Inc."]
    assert words_of(edges, "at Acme Inc.", "Acme Inc.", "place") == ["Acme Inc"]


def test_an_abbreviations_full_stop_makes_none_of_other_words() -> None:
    edges = known(("six p.m.", "time"))
    assert words_of(edges, "at 9 P.M.", "9 P.M.", "time") == ["9 P.M."]
    assert words_of(edges, "at 9:30 pm.", "9:30 pm.", "time") == ["9:30 pm"]


def test_a_sign_that_a_labels_examples_end_with_stays_on_words_that_are_new() -> None:
    edges = known(("5%", "share"), ("(555) 01", "phone"))
    assert words_of(edges, "up 7.5%.", "7.5%.", "share") == ["7.5%"]
    assert words_of(edges, "call (444) 02", "(444) 02", "phone") == ["(444) 02"]
    assert words_of(edges, "in Rome (", "Rome (") == ["Rome"]


def test_symbols_that_belong_to_words_stay() -> None:
    edges = known(("Rome", "place"))
    assert words_of(edges, "I use C++", "C++") == ["C++"]
    assert words_of(edges, "see #rome!", "#rome!") == ["#rome"]
    assert words_of(edges, "for 50€.", "50€.") == ["50€"]


def test_a_span_of_punctuation_alone_is_left_out() -> None:
    assert words_of(known(("Rome", "place")), "Rome ...", "...") == []
