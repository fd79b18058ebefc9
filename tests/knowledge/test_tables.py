import json

import pytest

from knowledge.errors import InputError
from knowledge.tables import read_table


def test_a_row_is_a_pair_whose_question_is_its_title() -> None:
    (document,), skipped = read_table("Question,Answer,url\nWhat is it?,A bank.,https://x", "f.csv")
    assert (document.question, document.title, document.text) == (
        "What is it?",
        "What is it?",
        "A bank.",
    )
    assert document.metadata == {"url": "https://x"}
    assert skipped == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_are_told_apart_and_quoted_fields_kept(delimiter: str) -> None:
    text = f'question{delimiter}answer\n"One; two, three?"{delimiter}"a\nb; c, d"\n'
    (document,), _ = read_table(text, "f.csv")
    assert document.text == "a\nb; c, d"


def test_json_lines_hold_pairs_or_texts() -> None:
    rows = [
        {"id": 7, "question": "Who?", "answer": "We.", "tags": ["a", "b"]},
        {"title": "Fees", "text": "Two euros."},
    ]
    documents, _ = read_table("\n".join(map(json.dumps, rows)), "f.jsonl")
    assert documents[0].id == "f.jsonl#7"
    assert documents[0].metadata == {"tags": "a, b"}
    assert (documents[1].question, documents[1].title) == ("", "Fees")


def test_ids_do_not_depend_on_the_order_of_rows() -> None:
    first = read_table("question,answer\na?,1\nb?,2", "f.csv")[0]
    second = read_table("question,answer\nb?,2\na?,1", "f.csv")[0]
    assert {document.id for document in first} == {document.id for document in second}


def test_bad_rows_are_reported_by_line_and_the_rest_kept() -> None:
    rows = ['{"question": "a?", "answer": "1"}', "{", "[]", '{"question": "b?"}', '{"answer": "c"}']
    documents, skipped = read_table("\n".join([*rows, rows[0]]), "f.jsonl")
    assert len(documents) == 1
    assert [line for line, _ in skipped] == [2, 3, 4, 5, 6]
    assert [reason.split(" (")[0] for _, reason in skipped] == [
        "not valid JSON",
        "expected an object",
        "has no answer",
        "has no question",
        "'a?' was there before",
    ]


def test_a_row_with_too_many_fields_is_reported() -> None:
    _, skipped = read_table("question,answer\na?,1,2\n", "f.csv")
    assert skipped == [(2, "has 3 fields, the first line 2")]


@pytest.mark.parametrize("text", ["", "name,price\nx,1", "question\nx"])
def test_a_table_without_the_columns_says_which_it_needs(text: str) -> None:
    with pytest.raises(InputError, match="question and answer, or title and text"):
        read_table(text, "f.csv")


def test_halves_of_character_pairs_become_question_marks() -> None:
    (document,), _ = read_table('{"question": "a\\ud800?", "answer": "b\\udfff"}', "f.jsonl")
    assert (document.question, document.text) == ("a??", "b?")
