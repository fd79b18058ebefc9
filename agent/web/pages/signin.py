"""Signing in and out."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from agent.web.errors import HttpError
from agent.web.pages.desk import Desk, PageRoute, read_form, see
from agent.web.pages.templates import render
from agent.web.security.access import client_address


def build_router(desk: Desk) -> APIRouter:
    """The routes /login and /logout."""
    router = APIRouter(route_class=PageRoute, include_in_schema=False)
    access = desk.services.access

    @router.get("/login")
    async def ask(request: Request, next: str = "/review") -> Response:
        return _page(desk, request, own_path(next))

    @router.post("/login")
    async def sign_in(request: Request) -> Response:
        await access.check_csrf(request)
        form = await read_form(request)
        target, name = own_path(form.get("next")), form.get("name")
        password = "".join(form.all("password"))
        try:
            signed_in = await access.sign_in(name, password, client_address(request))
        except HttpError as error:
            return _page(desk, request, target, error, name)
        response = see(target)
        secure = request.url.scheme == "https"
        access.set_session_cookie(response, signed_in, secure=secure)
        return response

    @router.post("/logout")
    async def sign_out(request: Request) -> Response:
        await desk.form(request)
        response = see("/login")
        await access.sign_out(request, response)
        return response

    return router


def own_path(target: str) -> str:
    """The path to go to after signing in: never another site.

    >>> own_path("/review?page=2"), own_path("//evil.example"), own_path("/\\\\evil.example")
    ('/review?page=2', '/review', '/review')
    """
    parts = urlsplit(target)
    ours = target.startswith("/") and not target.startswith("//") and "\\" not in target
    printable = target.isprintable()
    return target if ours and printable and not parts.scheme and not parts.netloc else "/review"


def _page(
    desk: Desk, request: Request, target: str, error: HttpError | None = None, name: str = ""
) -> Response:
    token = desk.services.access.csrf_token(request)
    status = error.status if error else 200
    message = error.message if error else ""
    return render("login.html", status, csrf_token=token, next=target, error=message, name=name)
