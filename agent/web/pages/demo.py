"""The demo page: the widget at work, and the line that brings it onto a page."""

from collections.abc import Mapping

from fastapi import Request, Response

from agent.project.types import Domain
from agent.web.pages.templates import render
from agent.web.services import Services

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "lead": "Talk to this assistant. When an answer is wrong, say so under it: a person looks "
        "at it, and the next answer is right.",
        "own": "On your own page",
        "line": "One line brings the chat onto any page:",
        "review": "Review page",
        "api": "HTTP interface",
        "chat": "Chat",
    },
    "zh": {
        "lead": "和这个助手聊聊吧。回答有误时，请在下方指出：会有人工核查，下一次就能答对。",
        "own": "放到您自己的网页上",
        "line": "只需一行代码：",
        "review": "审核页面",
        "api": "HTTP 接口",
        "chat": "聊天",
    },
}


def demo(services: Services, request: Request) -> Response:
    """The page at `/` for browsers."""
    origin = str(request.base_url).rstrip("/")
    language = _language(request.headers.get("accept-language", ""))
    name = services.assistant.name.replace("-", " ").replace("_", " ").capitalize()
    first = suggestions(services.assistant.brains.loaded.domain)
    return render(
        "demo.html",
        name=name,
        origin=origin,
        language=language,
        texts=TEXTS[language],
        suggestions="|".join(first),
    )


def suggestions(domain: Domain, limit: int = 3) -> list[str]:
    """What a visitor may ask first: the first intents that their author gave a title."""
    titled = (intent.title for intent in domain.intents.values() if intent.title)
    return [title for title in titled if "|" not in title][:limit]


def _language(accepted: str) -> str:
    """The widget's language for a browser's wishes: the first of them that it speaks."""
    for wish in accepted.split(","):
        base = wish.split(";")[0].strip().lower().partition("-")[0]
        if base in TEXTS:
            return base
    return "en"
