"""Tests that the bank's knowledge folder is well formed and holds the answers we ask of it."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from rapidfuzz import fuzz
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
KNOWLEDGE = ROOT / "config" / "assistants" / "bank" / "knowledge"
QUESTIONS = ROOT / "tests" / "golden" / "bank_questions.jsonl"
PATHS = sorted(path.relative_to(KNOWLEDGE).as_posix() for path in KNOWLEDGE.rglob("*.md"))


@dataclass(frozen=True)
class Page:
    """One document: its front matter and the Markdown below it."""

    front: Mapping[str, Any]
    body: str


def read_page(path: str) -> Page:
    """Split a document of the knowledge folder at its front matter."""
    text = (KNOWLEDGE / path).read_text(encoding="utf-8")
    match = re.fullmatch(r"---\n(.+?)\n---\n(.+)", text, flags=re.DOTALL)
    assert match, f"{path} has no front matter between two lines of ---"
    return Page(YAML(typ="safe").load(match[1]), match[2].strip())


def read_questions() -> list[dict[str, Any]]:
    """The golden questions, one JSON object a line."""
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


PAGES = {path: read_page(path) for path in PATHS}
ROWS = read_questions()
ANSWERABLE = [row for row in ROWS if row["document"] is not None]


def test_there_are_at_least_forty_documents() -> None:
    assert len(PATHS) >= 40


@pytest.mark.parametrize("path", PATHS)
def test_front_matter_has_title_url_date_and_tags(path: str) -> None:
    front = PAGES[path].front
    assert set(front) == {"title", "url", "updated", "tags"}
    assert front["url"] == f"https://example.com/help/{path.removesuffix('.md')}"
    assert isinstance(front["updated"], date)
    assert front["updated"].year == 2026
    assert front["tags"]
    assert all(isinstance(tag, str) for tag in front["tags"])


@pytest.mark.parametrize("path", PATHS)
def test_the_only_h1_is_the_title(path: str) -> None:
    page = PAGES[path]
    assert re.findall(r"^# (.+)$", page.body, flags=re.MULTILINE) == [page.front["title"]]


@pytest.mark.parametrize("path", PATHS)
def test_a_document_has_sections_and_a_readable_length(path: str) -> None:
    headings = re.findall(r"^## (.+)$", PAGES[path].body, flags=re.MULTILINE)
    assert 2 <= len(headings) <= 6
    assert len(set(headings)) == len(headings)
    assert 120 <= len(PAGES[path].body.split()) <= 450


def test_titles_are_unique() -> None:
    titles = Counter(page.front["title"] for page in PAGES.values())
    assert [title for title, count in titles.items() if count > 1] == []


def test_only_reserved_domains_are_named() -> None:
    named = re.findall(
        r"(?:https?://|@)([\w.-]+\.\w+)", "\n".join(page.body for page in PAGES.values())
    )
    assert set(named) == {"example.com"}


def test_no_two_documents_say_the_same_thing() -> None:
    alike = [
        (first, second)
        for first, second in combinations(PATHS, 2)
        if fuzz.token_sort_ratio(PAGES[first].body, PAGES[second].body) > 70
    ]
    assert alike == []


def test_no_paragraph_stands_in_two_documents() -> None:
    paragraphs = [
        (path, block)
        for path, page in PAGES.items()
        for block in page.body.split("\n\n")
        if len(block) > 80
    ]
    alike = [
        (first, second)
        for first, second in combinations(paragraphs, 2)
        if first[0] != second[0] and fuzz.ratio(first[1], second[1], score_cutoff=80)
    ]
    assert alike == []


def test_question_ids_and_texts_are_unique() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert len({row["question"].casefold() for row in ROWS}) == len(ROWS)


def test_there_are_enough_questions_of_both_kinds() -> None:
    assert len(ANSWERABLE) >= 90
    assert len(ROWS) - len(ANSWERABLE) >= 40


def test_every_document_answers_a_question() -> None:
    assert {row["document"] for row in ANSWERABLE} == set(PATHS)


@pytest.mark.parametrize("row", ANSWERABLE, ids=lambda row: row["id"])
def test_the_answer_stands_in_the_named_document(row: dict[str, Any]) -> None:
    assert row["answer_contains"] in PAGES[row["document"]].body


@pytest.mark.parametrize("row", ANSWERABLE, ids=lambda row: row["id"])
def test_a_question_does_not_repeat_a_line_of_its_document(row: dict[str, Any]) -> None:
    lines = [line for line in PAGES[row["document"]].body.splitlines() if len(line) > 15]
    closest = max(lines, key=lambda line: fuzz.ratio(line, row["question"]))
    assert fuzz.ratio(closest, row["question"]) < 80, closest
