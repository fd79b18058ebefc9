import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run

ODD = "it never turned up"


def turns(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_pipe_gets_replies_only_with_buttons_and_sources(shop: Path, run_agent: Run) -> None:
    lines = "hello\nwhat does shipping to Norway cost\n"
    done = run_agent("chat", "--project", str(shop), stdin=lines)
    assert done.returncode == 0, done.stderr
    replies = done.stdout.splitlines()
    assert replies[:3] == [
        "Hello! What can I do for you?",
        "1. Where is my order?",
        "2. I want a refund",
    ]


def test_a_buttons_number_sends_its_payload(shop: Path, run_agent: Run) -> None:
    done = run_agent("chat", "--project", str(shop), stdin="hello\n2\n")
    assert done.stdout.splitlines()[-1] == "Refunds take five days."


def test_a_form_asks_for_what_is_missing_and_uses_it(shop: Path, run_agent: Run) -> None:
    done = run_agent("chat", "--project", str(shop), stdin="where is my order\nC4321\n")
    assert done.stdout.splitlines() == [
        "What is the order number?",
        "Order C4321 is on its way.",
    ]


def test_json_prints_one_turn_a_line_and_nothing_else(shop: Path, run_agent: Run) -> None:
    done = run_agent("chat", "--project", str(shop), "--json", stdin="hello\n/why\ngoodbye\n")
    first, second = turns(done.stdout)
    assert first["understanding"]["intent"]["name"] == "greet"  # type: ignore[index]
    assert second["replies"][0]["text"] == "Goodbye!"  # type: ignore[index]


def test_a_correction_counts_on_the_next_message_and_in_the_next_session(
    shop: Path, run_agent: Run
) -> None:
    lines = f"{ODD}\n/wrong refund\n{ODD}\n/why\n"
    done = run_agent("chat", "--project", str(shop), stdin=lines)
    assert done.returncode == 0, done.stderr
    assert "Refunds take five days." in done.stdout
    assert "Correction " in done.stdout
    again = run_agent("chat", "--project", str(shop), stdin=f"{ODD.upper()}!\n")
    assert again.stdout.splitlines() == ["Refunds take five days."]


def test_a_corrected_answer_is_said_from_then_on(shop: Path, run_agent: Run) -> None:
    lines = "who runs this shop\n/wrong say Two sisters do.\nwho runs this shop?\n"
    done = run_agent("chat", "--project", str(shop), stdin=lines)
    assert done.stdout.splitlines()[-1] == "Two sisters do."


def test_marked_entities_count_on_the_next_message(shop: Path, run_agent: Run) -> None:
    text = "where is the blue one"
    lines = f"{text}\n/wrong mark where is the [blue one](order_number)\n{text}\n"
    done = run_agent("chat", "--project", str(shop), "--json", stdin=lines)
    assert done.returncode == 0, done.stderr
    entities = turns(done.stdout)[-1]["understanding"]["entities"]  # type: ignore[index]
    assert [(e["entity"], e["value"]) for e in entities] == [("order_number", "blue one")]


def test_learning_promotes_a_model_that_knows_the_corrections(shop: Path, run_agent: Run) -> None:
    project = ("--project", str(shop))
    for text in (ODD, "nothing arrived", "the box was empty"):
        made = run_agent("feedback", "correct", "--text", text, "--intent", "refund", *project)
        assert made.returncode == 0, made.stderr
    done = run_agent("learn", "--once", "--method", "head", "--json", *project)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["decision"] == "promoted", result
    assert result["corrections"] == 3
    parsed = run_agent("parse", "the box was empty", *project)
    assert json.loads(parsed.stdout)["intent"]["name"] == "refund"
    again = run_agent("learn", "--once", "--method", "head", "--json", *project)
    assert json.loads(again.stdout)["decision"] == "nothing to learn"
    back = run_agent("models", "rollback", *project)
    assert back.returncode == 0, back.stderr


def test_a_running_chat_picks_up_a_promoted_model(shop: Path, run_agent: Run) -> None:
    command = [sys.executable, "-m", "agent", "chat", "--json", "--project", str(shop)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None

        def model_of(text: str) -> str:
            chat.stdin.write(text + "\n")  # type: ignore[union-attr]
            chat.stdin.flush()  # type: ignore[union-attr]
            return str(json.loads(chat.stdout.readline())["model_version"])  # type: ignore[union-attr]

        before = model_of("hello")
        trained = run_agent("train", "--method", "head", "--project", str(shop))
        assert trained.returncode == 0, trained.stderr
        assert model_of("hello") != before
        chat.stdin.close()
        assert chat.wait(30) == 0


def test_chat_never_imports_torch(shop: Path) -> None:
    script = (
        "import sys; from agent.__main__ import main\n"
        f"sys.argv = ['agent', 'chat', '--project', {str(shop)!r}]\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="hello\nwhat does shipping to Norway cost\n/wrong refund\nhello\n",
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "False False", done.stderr


@pytest.mark.parametrize(
    "text",
    ["😀😀😀", "我的订单在哪里", "أين طلبي", "x" * 100_000, "\t\x07\x1b[2J", "[a](b"],
)
def test_any_message_gets_an_answer(shop: Path, run_agent: Run, text: str) -> None:
    done = run_agent("chat", "--project", str(shop), "--json", stdin=f"{text}\nhello\n")
    assert done.returncode == 0, done.stderr
    assert len(turns(done.stdout)) == 2
    assert "Traceback" not in done.stderr


def test_an_empty_line_says_nothing(shop: Path, run_agent: Run) -> None:
    done = run_agent("chat", "--project", str(shop), "--json", stdin="\n   \nhello\n")
    assert len(turns(done.stdout)) == 1


def test_an_unknown_command_is_refused_and_an_intent_is_sent(shop: Path, run_agent: Run) -> None:
    done = run_agent("chat", "--project", str(shop), "--json", stdin="/foo\n/refund\n")
    assert "/foo is no command" in done.stderr
    (turn,) = turns(done.stdout)
    assert turn["replies"][0]["text"] == "Refunds take five days."  # type: ignore[index]


def test_bare_say_corrects_nothing_in_a_pipe(shop: Path, run_agent: Run) -> None:
    done = run_agent("chat", "--project", str(shop), stdin="hello\n/wrong say\nhello\n")
    assert "Nothing changed" in done.stderr
    assert done.stdout.count("Hello!") == 2


def test_bytes_that_are_no_utf8_are_read_with_replacements(shop: Path) -> None:
    command = [sys.executable, "-m", "agent", "chat", "--json", "--project", str(shop)]
    done = subprocess.run(command, input=b"caf\xe9\xff\nhello\n", capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_chat_cleanly(shop: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "agent", "chat", "--json", "--project", str(shop)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write("hello\n")
        chat.stdin.flush()
        assert chat.stdout.readline()
        os.kill(chat.pid, number)
        chat.wait(30)
        assert chat.stderr is not None
        assert "Traceback" not in chat.stderr.read()
