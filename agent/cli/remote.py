"""`agent chat --url`: a session with an assistant that a server runs, over its `/api`."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from agent.cli.terminal import Terminal
from agent.errors import AgentError
from agent.turn import Button, Message, Reply, Turn, Understanding, new_id
from knowledge.passage import Passage, ScoredPassage

COMMANDS = {
    "/wrong": "the last answer was wrong: /wrong [INTENT | say TEXT]; a reviewer looks at it",
    "/good": "the last answer was right",
    "/restart": "begin a new conversation",
    "/help": "this list",
    "/quit": "leave (also Ctrl-C, Ctrl-D)",
}
LOCAL = ("/why", "/slots", "/save")
_TRIES = 4
_LONGEST_WAIT_S = 30.0
_TIMEOUT_S = 60.0


class _BusyError(AgentError):
    """The server asks to come back after `wait_s` seconds."""

    def __init__(self, message: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(message)


@dataclass(slots=True)
class RemoteSession:
    """Reads lines, sends them to a server, shows what it answers.

    Args:
        url: the server, such as `http://localhost:5005`.
        terminal: where the person writes and reads.
        client: the HTTP client, closed by whoever made it.
    """

    url: str
    terminal: Terminal
    client: httpx2.AsyncClient
    _conversation: str = ""
    _token: str = ""
    _last: Turn | None = None
    _choices: list[dict[str, str]] = field(default_factory=list)
    _payloads: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        """Begin a conversation, and greet.

        Raises:
            AgentError: there is no such server, or it refuses us.
        """
        begun = await self._post("/api/conversations", {})
        self._conversation, self._token = begun["conversation_id"], begun["token"]
        self._last, self._choices, self._payloads = None, [], []
        self.terminal.welcome(self.url)

    async def end(self) -> None:
        """Take leave."""
        self.terminal.farewell()

    async def respond(self, line: str) -> bool:
        """Answer one line; False when the session is to end. An empty line says nothing."""
        text = line.strip()
        command, _, rest = text.partition(" ")
        if command in ("/quit", "/exit"):
            return False
        try:
            if command in COMMANDS:
                await self._command(command, rest.strip())
            elif command in LOCAL:
                raise AgentError(f"{command} needs the project itself: agent chat without --url")
            elif text:
                await self._say(self._message_text(text))
        except AgentError as error:
            self.terminal.error(str(error))
        return True

    async def _command(self, command: str, rest: str) -> None:
        if command == "/help":
            self.terminal.help(COMMANDS)
        elif command == "/restart":
            await self.begin()
        elif command == "/good":
            await self._feedback({"kind": "thumbs", "liked": True})
        else:
            await self._wrong(rest)

    def _message_text(self, text: str) -> str:
        if text.isdecimal() and 1 <= int(text) <= len(self._payloads):
            return self._payloads[int(text) - 1]
        return text

    async def _say(self, text: str) -> None:
        message = Message(new_id(), self._conversation, text, channel="web")
        # The same id again gets the same answer: a lost connection doubles nothing.
        body = {"text": text, "message_id": message.id}
        with self.terminal.thinking():
            path = f"/api/conversations/{self._conversation}/messages"
            answer = await self._retried(lambda: self._stream(path, body))
        self._last = _turn(message, answer)
        self._choices = answer["choices"]
        self._payloads = self.terminal.show(self._last)
        if answer["handoff"]:
            self.terminal.note("A person has taken over.")

    async def _wrong(self, rest: str) -> None:
        self._last_turn()
        if not rest:
            self.terminal.choices("What did you mean?", [c["title"] for c in self._choices])
            question = "A number, an intent's name, or «say» and the right answer: "
            rest = (await self.terminal.ask(question)).strip()
        if rest.isdecimal() and 1 <= int(rest) <= len(self._choices):
            rest = self._choices[int(rest) - 1]["intent"]
        word, _, answer = rest.partition(" ")
        if not rest or (word == "say" and not answer.strip()):
            self.terminal.note("Nothing changed.")
        elif word == "say":
            await self._feedback({"kind": "answer", "answer": answer.strip()})
        else:
            await self._feedback({"kind": "intent", "intent": rest})

    async def _feedback(self, body: Mapping[str, Any]) -> None:
        turn = self._last_turn()
        await self._post("/api/feedback", {**body, "turn_id": turn.id, "id": new_id()})
        self.terminal.note("Noted, thank you. A reviewer will look at it.")

    def _last_turn(self) -> Turn:
        if self._last is None:
            raise AgentError("there is no answer yet: write a message first")
        return self._last

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a request, as JSON."""

        async def post() -> Any:
            response = await self.client.post(path, json=body, headers=self._headers())
            return _read(self.url, response)

        return await self._retried(post)

    async def _stream(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a message; its replies are shown as they come."""
        headers = {**self._headers(), "Accept": "text/event-stream, application/json"}
        async with self.client.stream("POST", path, json=body, headers=headers) as response:
            if "event-stream" not in response.headers.get("content-type", ""):
                await response.aread()
                return _read(self.url, response)
            replies: dict[int, Any] = {}
            async for event, data in _events(response):
                if event == "reply":
                    if data["reply"] not in replies:
                        self.terminal.hear(_reply(self._conversation, data))
                    replies[data["reply"]] = data
                elif event == "delta":
                    self.terminal.write(data["text"])
                elif event == "error":
                    raise AgentError(f"{self.url}: {data['error']}")
                elif event == "done":
                    return {**data, "replies": [replies[place] for place in sorted(replies)]}
        raise httpx2.ReadError("the answer broke off")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def _retried(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What a request gives; it is sent again while the server is busy or gone."""
        for left in reversed(range(_TRIES)):
            try:
                return await ask()
            except httpx2.TransportError as error:
                if not left or not self._token:
                    raise AgentError(f"{self.url} cannot be reached: {error}") from error
                await asyncio.sleep(1.0)
            except _BusyError as error:
                if not left:
                    raise
                await asyncio.sleep(error.wait_s)
        raise AgentError(f"{self.url} does not answer")


def open_client(url: str) -> httpx2.AsyncClient:
    """A client of the server at a URL.

    Raises:
        AgentError: that is no http or https URL.
    """
    if not re.match(r"https?://[^/\s]", url):
        raise AgentError(f"{url!r} is no server's URL: write http://HOST:PORT")
    return httpx2.AsyncClient(base_url=url.rstrip("/"), timeout=_TIMEOUT_S)


def _wait_s(response: httpx2.Response) -> float:
    asked = response.headers.get("retry-after", "")
    return min(float(asked) if asked.isdecimal() else 1.0, _LONGEST_WAIT_S)


def _read(url: str, response: httpx2.Response) -> Any:
    try:
        found = response.json()
    except ValueError as error:
        raise AgentError(f"{url} is no agent server: it answered {response.status_code}") from error
    if response.is_success:
        return found
    said = found.get("message") if isinstance(found, dict) else None
    message = f"{url}: {said or response.status_code}"
    if response.status_code in (429, 503):
        raise _BusyError(message, _wait_s(response))
    raise AgentError(message)


async def _events(response: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    """The server-sent events of a response: names and their JSON."""
    event = "message"
    async for line in response.aiter_lines():
        name, _, value = line.partition(":")
        if name == "event":
            event = value.strip()
        elif name == "data":
            yield event, json.loads(value)


def _turn(message: Message, answer: Mapping[str, Any]) -> Turn:
    replies = tuple(_reply(message.conversation_id, reply) for reply in answer["replies"])
    return Turn(
        id=answer["turn_id"],
        message=message,
        understanding=Understanding(text=message.text),
        decisions=(),
        replies=replies,
        model_version=None,
        took_ms=0.0,
    )


def _reply(recipient: str, found: Mapping[str, Any]) -> Reply:
    return Reply(
        recipient=recipient,
        text=found.get("text"),
        buttons=tuple(Button(b["title"], b["payload"]) for b in found.get("buttons") or ()),
        image=found.get("image"),
        attachment=found.get("attachment"),
        custom=found.get("custom"),
        passages=tuple(_source(source) for source in found.get("sources") or ()),
    )


def _source(found: Mapping[str, Any]) -> ScoredPassage:
    url = found.get("url")
    text, title = found["text"], found.get("title") or ""
    passage = Passage(
        id=found["document_id"],
        document_id=found["document_id"],
        title=title,
        text=text,
        start=found.get("start", 0),
        end=found.get("end", len(text)),
        metadata={"url": url} if url else {},
    )
    return ScoredPassage(passage, 1.0)
