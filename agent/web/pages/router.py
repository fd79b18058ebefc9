"""The routes of the pages."""

from fastapi import APIRouter, Request, Response

from agent.web.errors import HttpError
from agent.web.pages import audit, dashboard, gaps, item, models, monitor, review, signin, talks
from agent.web.pages.assets import static_file, widget_script
from agent.web.pages.demo import demo
from agent.web.pages.desk import Desk, PageRoute
from agent.web.pages.reference import reference
from agent.web.services import Services


async def demo_page(services: Services, request: Request) -> Response:
    """What `/` shows to a browser."""
    return demo(services, request)


def build_router(services: Services) -> APIRouter:
    """Every page for people, and the files they need."""
    router = APIRouter(include_in_schema=False)

    @router.get("/widget.js")
    async def widget(request: Request) -> Response:
        return widget_script(request)

    @router.get("/static/{name}")
    async def static(request: Request, name: str) -> Response:
        return static_file(request, name)

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        return reference(request.app, request)

    desk = Desk(services)
    for page in (signin, review, talks, dashboard, gaps, item, monitor, models, audit):
        router.include_router(page.build_router(desk))
    missing = APIRouter(route_class=PageRoute)

    @missing.get("/review/{path:path}")
    async def no_page(path: str) -> Response:
        raise HttpError(404, "There is no such page.")

    router.include_router(missing)
    return router
