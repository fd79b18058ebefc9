"""What a pipe gets of a reply."""

from io import StringIO

from rich.console import Console

from agent.cli.view import marked, one_line, plain_lines, show_understanding
from agent.turn import Button, Entity, IntentScore, Neighbour, Reply, Understanding
from agent.understanding.explain import Explanation, Part


def test_a_table_stays_readable_on_one_line() -> None:
    text = "Rates:\n\n| Term | Rate |\n|---|---:|\n| 6 months | 2 % |\n\nAsk us."
    assert one_line(text) == "Rates: Term: Rate; 6 months: 2 %. Ask us."


def test_a_text_without_a_table_only_loses_its_line_breaks() -> None:
    assert one_line("one\n\n  two | three\n") == "one two | three"
    assert one_line("") == ""


def test_buttons_are_numbered_through_all_replies() -> None:
    replies = [
        Reply(recipient="me", text=text, buttons=(Button(title=text.upper(), payload="/x"),))
        for text in ("a", "b")
    ]
    assert plain_lines(replies, sources=False) == ["a", "1. A", "b", "2. B"]


def test_an_explanation_marks_the_words_that_matter() -> None:
    console = Console(record=True, width=100, file=StringIO())
    near = Neighbour("", "block it", "block_card", 0.91)
    parts = (Part("please", 0, 6, 0.01, 0.9), Part("block", 7, 12, 0.8, 0.1))
    show_understanding(
        console,
        Understanding("please block", (IntentScore("block_card", 0.9),)),
        Explanation("block_card", 0.9, parts, (near,)),
    )
    shown = console.export_text()
    assert "Words for block_card: please  block +0.80" in shown
    assert "0.910" in shown
    assert "block it" in shown


def test_of_overlapping_values_the_first_is_marked() -> None:
    values = [Entity("number", 0, 1, "2", 2), Entity("time", 0, 10, "2 tomorrow", "…")]
    assert marked("2 tomorrow", values).plain == "2[number] tomorrow"
