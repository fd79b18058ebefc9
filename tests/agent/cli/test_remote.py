"""`agent chat --url` against the real application, and against servers that are not there."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agent.cli.remote import RemoteSession, open_client
from agent.errors import AgentError
from tests.agent.web.serving import Served, answers_by, serving
from tests.conftest import Run


class Heard:
    """A terminal that keeps what it is told; `answers` are given to its questions."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.said: list[str] = []
        self.heard: list[str] = []
        self.told: list[str] = []
        self.written: list[str] = []

    def hear(self, reply: Any) -> None:
        self.heard.append(reply.text)

    def write(self, text: str) -> None:
        self.written.append(text)

    def show(self, turn: Any) -> list[str]:
        self.said += [reply.text for reply in turn.replies]
        return [button.payload for reply in turn.replies for button in reply.buttons]

    async def ask(self, question: str, words: Any = ()) -> str:
        return self.answers.pop(0)

    def note(self, text: str) -> None:
        self.told.append(text)

    error = welcome = note

    def choices(self, title: str, options: Any) -> None:
        self.told += list(options)

    def help(self, commands: Any) -> None:
        self.told += list(commands)

    def thinking(self) -> Any:
        return nullcontext()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as found:
        yield found


async def talk(client: httpx2.AsyncClient, terminal: Heard, *lines: str) -> None:
    session = RemoteSession("http://test", terminal, client)  # type: ignore[arg-type]
    await session.begin()
    for line in lines:
        await session.respond(line)


async def test_a_message_is_answered_and_a_button_pressed_by_its_number(served: Served) -> None:
    terminal = Heard()
    await talk(served.http, terminal, "greet", "1")
    assert terminal.said == ["Hello!\n\nAnd now?", "balance!"]


async def test_an_answer_is_shown_while_it_is_written(served: Served) -> None:
    answers_by(served, "The fee is 8 [1]. Good [1].")
    terminal = Heard()
    await talk(served.http, terminal, "what is the fee now?")
    assert terminal.written == ["The fee is 8 [1]."]
    assert terminal.said == ["The fee is 8 [1]. Good [1]."]


async def test_what_is_put_right_waits_for_a_reviewer(served: Served) -> None:
    terminal = Heard("goodbye")
    await talk(served.http, terminal, "greet", "/wrong", "/good", "/wrong say Good day to you")
    kinds = [c.kind for c in await served.services.assistant.feedback.list()]
    assert sorted(kinds) == ["answer", "intent", "thumbs"]
    assert terminal.told.count("Noted, thank you. A reviewer will look at it.") == 3


async def test_an_intent_that_was_not_offered_is_refused_and_the_session_goes_on(
    served: Served,
) -> None:
    terminal = Heard()
    await talk(served.http, terminal, "/goodbye", "/wrong", "bye")
    assert "offered" in terminal.told[1]
    assert "no answer yet" in terminal.told[-1]
    assert terminal.said == ["goodbye!"]


async def test_a_busy_server_is_asked_again_with_the_same_message() -> None:
    seen: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/api/conversations":
            return httpx2.Response(201, json={"conversation_id": "c", "token": "t"})
        seen.append(request.content)
        if len(seen) == 1:
            return httpx2.Response(429, headers={"Retry-After": "0"}, json={})
        if len(seen) == 2:
            raise httpx2.ReadError("gone")
        found = {"turn_id": "1", "replies": [{"text": "here"}], "choices": [], "handoff": True}
        return httpx2.Response(200, json=found)

    terminal = Heard()
    transport = httpx2.MockTransport(answer)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        await talk(client, terminal, "hello")
    assert terminal.said == ["here"]
    assert len(set(seen)) == 1
    assert terminal.told[-1] == "A person has taken over."


@pytest.mark.parametrize("url", ["localhost:5005", "", "ftp://x", "http://"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(AgentError, match="no server's URL"):
        open_client(url)


async def test_a_server_that_speaks_another_language_is_told() -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, text="<html>"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(AgentError, match="no agent server"):
            await talk(client, Heard())


def test_nobody_there_is_one_line(run_agent: Run) -> None:
    done = run_agent("chat", "--url", "http://127.0.0.1:9", stdin="hello\n")
    assert done.returncode == 1
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_project_and_a_url_do_not_go_together(run_agent: Run) -> None:
    done = run_agent("chat", "--url", "http://127.0.0.1:9", "--project", "x")
    assert done.returncode == 2
    assert "--url goes alone" in done.stderr


async def test_replies_are_shown_as_they_come(served: Served) -> None:
    terminal = Heard()
    await talk(served.http, terminal, "hello")
    assert terminal.heard == terminal.said != []


async def test_what_needs_the_project_is_refused_with_the_way_to_it(served: Served) -> None:
    terminal = Heard()
    await talk(served.http, terminal, "hello", "/why")
    assert "agent chat without --url" in terminal.told[-1]


def test_a_script_says_which_answer_was_not_as_expected(
    run_agent: Run, shop: Path, tmp_path: Path
) -> None:
    script = tmp_path / "talk.txt"
    script.write_text("# a greeting\nhello\n= What can I do\n\ngoodbye\n= Goodbye!\n", "utf-8")
    done = run_agent("chat", "--project", str(shop), "--script", str(script))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Goodbye!"), done.stderr
    script.write_text("hello\n= Good evening\n", "utf-8")
    done = run_agent("chat", "--project", str(shop), "--script", str(script))
    assert done.returncode == 1
    assert f"{script}:2: expected 'Good evening', the answer was: Hello!" in done.stderr
