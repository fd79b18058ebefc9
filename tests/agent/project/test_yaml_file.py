import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.project import yaml_file
from agent.project.findings import Findings, Source
from agent.project.yaml_file import parse_yaml, read_text
from agent.project.yaml_values import MissingVariable, YamlText, line_of, plain, resolve


def parse(text: str, *, environment: bool = False) -> tuple[Any, list[tuple[str, int, str]]]:
    findings = Findings()
    value = parse_yaml(text, Source("f.yml", findings), environment=environment)
    return value, [(n.message, n.place.line, n.key) for n in findings.notices]


@pytest.fixture(params=["fast", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pure":
        monkeypatch.setattr(yaml_file, "CParser", None)
    elif getattr(yaml_file, "CParser") is None:  # noqa: B009 - untyped
        pytest.skip("ruamel.yaml.clib is not installed")
    return str(request.param)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("12", 12),
        ("-3", -3),
        ("007", 7),
        ("0x1f", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1:30", "1:30"),
        ("2021-01-01", "2021-01-01"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_plain_word_has_its_yaml_1_2_value(word: str, value: object) -> None:
    assert resolve(word) == value
    assert type(resolve(word)) is type(value)


def test_keys_are_the_words_as_they_are_spelled(parser: str) -> None:
    value, problems = parse("yes: 1\n2: b\n~: c\n")
    assert value == {"yes": 1, "2": "b", "~": "c"}
    assert problems == []


def test_every_value_knows_its_line(parser: str) -> None:
    value, _ = parse("a: 1\nb:\n- x\n-\n  c: 2\nd: |\n  first\n  second\n")
    assert line_of(value, "b") == 2
    assert line_of(value["b"], 0) == 3
    assert line_of(value["b"][1], "c") == 5
    assert isinstance(value["d"], YamlText)
    assert value["d"].line == 7


def test_anchors_aliases_and_merge_keys_are_read(parser: str) -> None:
    value, problems = parse("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc: [*a]\n")
    assert plain(value) == {"a": {"x": 1, "y": 2}, "b": {"y": 3, "x": 1}, "c": [{"x": 1, "y": 2}]}
    assert problems == []


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: [1\nb: 2\n", 2, "broken YAML"),
        ("a: b: c\n", 1, "broken YAML"),
        ("- 'x\n", 1, "broken YAML"),
        ("a:\n\t- b\n", 2, "broken YAML"),
        ("a: 1\n\x07b: 2\n", 2, "broken YAML"),
        ("a: *x\n", 1, "names no anchor"),
        ("a: &a [*a]\n", 1, "names no anchor"),
        ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
        ("{a: b}: c\n", 1, "cannot be a list or mapping"),
        ("a: !!python/object:os.system x\n", 1, "not supported"),
        ("[" * 200, 1, "nested deeper"),
    ],
)
def test_broken_text_is_reported_with_its_line(
    text: str, line: int, word: str, parser: str
) -> None:
    value, problems = parse(text)
    assert value is None
    [(message, where, _)] = problems
    assert word in message
    assert where == line


def test_a_key_that_stands_twice_is_reported_and_the_later_one_counts(parser: str) -> None:
    value, problems = parse("a: 1\nb: 2\na: 3\n")
    assert value == {"a": 3, "b": 2}
    assert problems == [
        ("the key stands here twice (first in line 1): remove or merge one", 3, "a")
    ]


def test_a_bomb_of_aliases_is_refused(parser: str) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    value, problems = parse("\n".join(lines))
    assert value is None
    assert "values (aliases counted)" in problems[0][0]


def test_an_escaped_character_of_an_ascii_file_is_read_as_in_rasa(parser: str) -> None:
    assert parse("a: caf\\u00e9\n")[0] == {"a": "café"}
    assert parse('é: "\\ud83d\\ude00"\n')[0] == {"é": "😀"}
    assert parse('a: "\\U0001F600"\n')[0] == {"a": "😀"}


def test_variables_are_filled_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_HOST", "h")
    text = 'a: http://${SOME_HOST}/x\nb: "${SOME_HOST}"\nc: |\n  ${SOME_HOST}\n'
    assert parse(text)[0] == {"a": "http://h/x", "b": "${SOME_HOST}", "c": "${SOME_HOST}\n"}
    assert parse(text, environment=True)[0]["b"] == "h"


def test_a_missing_variable_is_marked_where_it_matters() -> None:
    assert "NOT_SET_HERE" not in os.environ
    value, problems = parse("a: ${NOT_SET_HERE}\n")
    assert value == {"a": "${NOT_SET_HERE}"}
    assert problems[0][1] == 1
    value, problems = parse('a: "${NOT_SET_HERE}"\n', environment=True)
    assert isinstance(value["a"], MissingVariable)
    assert value["a"].name == "NOT_SET_HERE"


def test_text_that_is_no_utf_8_is_reported_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "f.yml"
    file.write_bytes(b"a: 1\nb: caf\xe9\n")
    findings = Findings()
    assert read_text(Source("f.yml", findings, file)) is None
    assert "not UTF-8" in findings.notices[0].message
    assert findings.notices[0].place.line == 2


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "f.yml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_text(Source("f.yml", Findings(), file)) == "a: 1\n"


_TEXTS = st.text("abc0{}[]:,#'\"&*!-? \nyé😀东", max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(value=_VALUES)
def test_json_is_read_as_what_it_is(value: Any) -> None:
    assert plain(parse(json.dumps(value, ensure_ascii=False))[0]) == value


@given(text=st.text("ab:-[]{}#&*!|>'\"%@ \n\t", max_size=40))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    parse(text)


def test_ten_thousand_examples_are_read_in_a_blink() -> None:
    lines = ["nlu:"]
    for i in range(100):
        lines += [f"- intent: i{i}", "  examples: |"]
        lines += [f"    - please move {j} euros from my account to the other" for j in range(100)]
    started = time.process_time()
    value, _ = parse("\n".join(lines))
    assert len(value["nlu"]) == 100
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\t- b\n", "indent with spaces"),
        ('user: to [LA]{"entity": "city"}\n', "put a text with `: ` in quotes"),
        ("a: @b\n", "put the text in quotes"),
        ("a:\n- [LA](city) now\n", "write the examples below `|`"),
        ("a:\n- 'x' y\n", "write the examples below `|`"),
    ],
)
def test_broken_yaml_is_told_with_what_to_do(text: str, hint: str) -> None:
    value, ((message, _, _),) = parse(text)
    assert value is None
    assert hint in message
