import time

import pytest

from agent.errors import InputError
from agent.turn import Entity
from agent.understanding.patterns import Matching, compile_patterns, merge, patterns_from_json


def network(label: str, start: int, end: int, text: str, role: str | None = None) -> Entity:
    words = text[start:end]
    return Entity(label, start, end, words, words, role=role, confidence=0.9, extractor="network")


def test_a_lookup_word_is_found_whatever_its_case() -> None:
    found = compile_patterns({}, {"city": ["York", "New York"]}, {}).find("flights to NEW YORK")
    assert [(e.text, e.start, e.end) for e in found] == [("NEW YORK", 11, 19)]


def test_a_pattern_does_not_match_inside_a_word() -> None:
    assert compile_patterns({"digits": [r"\d{4}"]}, {}, {}).find("order12345") == []


def test_where_words_have_no_edges_patterns_match_anywhere() -> None:
    anywhere = Matching(word_regexes=False, word_lookups=False)
    patterns = compile_patterns({"order": [r"\d{4}"]}, {"city": ["北京"]}, {}, anywhere)
    assert [e.text for e in patterns.find("我在北京的订单1234呢")] == ["北京", "1234"]


def test_case_counts_if_asked_for() -> None:
    data = {"lookups": {"city": ["York"]}, "matching": {"case_sensitive": True}}
    patterns = patterns_from_json(data)
    assert [e.text for e in patterns.find("york or York")] == ["York"]


def test_lookup_words_are_taken_literally() -> None:
    patterns = compile_patterns({}, {"shop": ["a.b (c)"]}, {})
    assert [e.text for e in patterns.find("at a.b (c) today")] == ["a.b (c)"]
    assert patterns.find("at axb (c) today") == []


def test_an_invalid_expression_names_its_label() -> None:
    with pytest.raises(InputError, match="'iban'"):
        compile_patterns({"iban": ["[A-Z"]}, {}, {})


def test_synonyms_replace_the_value_and_keep_the_text() -> None:
    patterns = compile_patterns({}, {"currency": ["quid"]}, {"Quid": "GBP"})
    (entity,) = patterns.normalize(patterns.find("20 Quid"))
    assert (entity.text, entity.value) == ("Quid", "GBP")


def test_a_pattern_replaces_a_shorter_span_of_its_label_and_keeps_the_role() -> None:
    text = "from 1234 5678"
    match = compile_patterns({"account": [r"\d{4} \d{4}"]}, {}, {}).find(text)
    (merged,) = merge([network("account", 5, 9, text, role="from")], match)
    assert (merged.text, merged.role, merged.confidence) == ("1234 5678", "from", 0.9)


def test_a_longer_span_of_the_network_stands_against_a_pattern() -> None:
    text = "Bank of York"
    match = compile_patterns({}, {"city": ["York"]}, {}).find(text)
    (merged,) = merge([network("company", 0, 12, text)], match)
    assert merged.label == "company"


def test_patterns_work_in_chinese_and_arabic() -> None:
    patterns = compile_patterns({"pin": [r"\d{4}"]}, {"city": ["دبي"]}, {})
    assert [e.text for e in patterns.find("إلى دبي 1234")] == ["دبي", "1234"]


def test_an_expression_that_takes_for_ever_on_a_text_is_given_up_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    patterns = compile_patterns({"pin": [r"(a|aa)+$"], "zip": [r"\d{5}"]}, {}, {})
    started = time.process_time()
    found = patterns.find("12345 " + "a" * 80 + "c")
    assert time.process_time() - started < 30
    assert [(e.label, e.text) for e in found] == [("zip", "12345")]
    assert "(?:(a|aa)+$)" in caplog.text
    assert "of 'pin' took more than" in caplog.text
    assert [e.text for e in patterns.find("aaa")] == ["aaa"]
