"""A scripted server for the widget: answers in the browser, without any network."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import BrowserContext, Route

from agent.web.widget import load_bundle

SERVER = "https://agent.test"
Answer = Callable[[dict[str, Any]], "list[dict[str, Any]] | int"]
_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}


@dataclass(slots=True)
class Script:
    """What the server says, and what it was sent.

    Args:
        answer: a message's body to the replies, or to an HTTP status that refuses it.
        pieces: sends each reply's text in pieces, as a stream does.
        down: nothing can be reached.
        handoff: a person takes over.
        quota: how many times feedback is taken.
        said: what the assistant says by itself.
    """

    answer: Answer
    pieces: bool = False
    down: bool = False
    handoff: bool = False
    quota: int = 99
    sent: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    begun: int = 0

    async def handle(self, route: Route) -> None:
        """Handle one request of the page."""
        path = route.request.url.removeprefix(SERVER)
        if self.down and not path.startswith("/widget"):
            await route.abort("internetdisconnected")
        elif path == "/widget.js":
            script = load_bundle().plain.decode()
            await route.fulfill(body=script, content_type="text/javascript", headers=_CORS)
        elif route.request.method == "OPTIONS":
            await route.fulfill(status=204, headers=_CORS)
        else:
            await self._api(route, path)

    async def _api(self, route: Route, path: str) -> None:
        body = json.loads(route.request.post_data or "{}")
        if path == "/api/conversations":
            self.begun += 1
            begun = {"conversation_id": f"c{self.begun}", "token": f"t{self.begun}"}
            await route.fulfill(status=201, json=begun, headers=_CORS)
        elif path.endswith("/events"):
            news = [_event(n, "message", one) for n, one in enumerate(self.said, 1)]
            await route.fulfill(body="".join(news), content_type="text/event-stream", headers=_CORS)
        elif path == "/api/feedback":
            self.feedback.append(body)
            status = 202 if len(self.feedback) <= self.quota else 429
            await route.fulfill(status=status, json={"id": "f"}, headers=_CORS)
        else:
            await self._message(route, body)

    async def _message(self, route: Route, body: dict[str, Any]) -> None:
        self.sent.append(body)
        said = self.answer(body)
        if isinstance(said, int):
            headers = {**_CORS, "Retry-After": "1", "Access-Control-Expose-Headers": "Retry-After"}
            await route.fulfill(status=said, json={"message": "no"}, headers=headers)
            return
        stream = self._stream(said)
        await route.fulfill(body=stream, content_type="text/event-stream", headers=_CORS)

    def _stream(self, replies: Sequence[dict[str, Any]]) -> str:
        events: list[tuple[str, Any]] = []
        for index, reply in enumerate(replies):
            whole = {"reply": index, **reply}
            if self.pieces:
                parts = reply["text"].split("|")
                events += [("delta", {"reply": index, "text": part}) for part in parts]
                whole["text"] = "".join(parts)
            events.append(("reply", whole))
        choices = [{"intent": "refund", "title": "<b>Money back</b>"}]
        turn = {"turn_id": f"turn-{len(self.sent)}", "choices": choices, "handoff": self.handoff}
        events.append(("done", turn))
        return "".join(_event(number, name, data) for number, (name, data) in enumerate(events))


def _event(number: int, name: str, data: Any) -> str:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n"


async def play(context: BrowserContext, script: Script) -> None:
    """Let the script answer for the server in every page of this profile."""

    async def handle(route: Route) -> None:
        await script.handle(route)

    await context.route(f"{SERVER}/**", handle)
