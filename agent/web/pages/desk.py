"""What every page of the review desk needs: who asks, a form that is sound, a rendered answer."""

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from agent.errors import AgentError
from agent.feedback.queue_item import QueueItem, Reason
from agent.feedback.worth import assess
from agent.turn import FALLBACK_INTENT, OOS_INTENT
from agent.web.errors import HttpError, as_http
from agent.web.pages.templates import render
from agent.web.security.access import Role, User
from agent.web.services import Services

MAX_FIELDS = 300
SLIGHT = 0.1
"""Weight below which a doubt of the model's is no reason to show."""
_log = logging.getLogger(__name__)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form; a field that was left out reads as empty."""

    fields: dict[str, list[str]]

    def get(self, name: str) -> str:
        """A field's value without blanks around it."""
        return self.fields.get(name, [""])[0].strip()

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field, as it was sent."""
        return tuple(self.fields.get(name, ()))


@dataclass(frozen=True, slots=True)
class Desk:
    """The pages' own view of the services."""

    services: Services

    async def page(self, request: Request, template: str, /, **values: Any) -> Response:
        """A page of the review desk for whoever is signed in.

        Raises:
            HttpError: nobody is signed in (303 to the sign-in page).
        """
        user = await self.user(request)
        token = self.services.access.csrf_token(request)
        common = {"user": user, "csrf_token": token, "here": request.url.path}
        words = {"title_of": self.title, "reasons_of": self.reasons}
        status = values.pop("status", 200)
        return render(template, status, **{**common, **words, **values})

    async def user(self, request: Request, role: Role = "reviewer") -> User:
        """Who is signed in.

        Raises:
            HttpError: nobody is (303 to the sign-in page), or not in that role (403).
        """
        return await self.services.access.page_user(request, role)

    async def form(self, request: Request, role: Role = "reviewer") -> tuple[User, Form]:
        """Who sent a form, and its fields.

        Raises:
            HttpError: not signed in, forged, or not in that role.
        """
        user = await self.user(request, role)
        await self.services.access.check_csrf(request)
        return user, await read_form(request)

    async def record(self, user: User, action: str, subject: str = "") -> None:
        """Write into the audit log what somebody did."""
        await self.services.accounts.record(user.name, action, subject)

    def reasons(self, item: QueueItem) -> tuple[Reason, ...]:
        """Why an item is in the queue, with the intents' names for people."""
        reasons = assess(item, title=lambda name: f"“{self.title(name)}”").reasons
        return tuple(r for r in reasons if r.weight >= SLIGHT or r.kind not in ("unsure", "scope"))

    def title(self, intent: str | None) -> str:
        """An intent's name for people."""
        if intent is None or intent == FALLBACK_INTENT:
            return "Not understood"
        if intent == OOS_INTENT:
            return "None of these"
        return self.services.assistant.title(intent)


async def read_form(request: Request) -> Form:
    """The fields of a form as browsers send them.

    Raises:
        HttpError: more fields than any of our forms has, or not text (400).
    """
    body = await request.body()
    try:
        text = body.decode("utf-8")
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise HttpError(400, "this is no form of ours") from error
    return Form(fields)


def see(path: str) -> RedirectResponse:
    """On to another page after a form was taken."""
    return RedirectResponse(path, 303)


class PageRoute(APIRoute):
    """A route whose errors are pages, too."""

    def get_route_handler(self) -> Handler:
        """The handler, with what it raises as a page for people."""
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except AgentError as error:
                return _sorry(as_http(error))
            except HttpError as error:
                if error.status in (302, 303):
                    return RedirectResponse((error.headers or {})["Location"], error.status)
                return _sorry(error)
            except RequestValidationError:
                return _sorry(HttpError(400, "This address has a part that cannot be read."))
            except Exception:
                _log.exception("%s failed", request.url.path)
                return _sorry(HttpError(500, "Something went wrong here; the log says what."))

        return handled


def _sorry(error: HttpError) -> Response:
    if error.status >= 500:
        _log.error("a page failed: %s", error.message)
    return render("sorry.html", error.status, error=error)
