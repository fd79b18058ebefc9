"""Model versions: their reports, learn now, promote, roll back."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from agent.web.errors import HttpError
from agent.web.pages.desk import Desk, PageRoute, see

RUNS = 20
# What a list shows of a report: part, figure, heading.
SHOWN = (
    ("intent", "accuracy", "Intent accuracy"),
    ("intent", "macro_f1", "macro F1"),
    ("entity", "f1", "Entity F1"),
    ("oos", "auroc", "Out-of-scope AUROC"),
)


def build_router(desk: Desk) -> APIRouter:
    """The routes /review/models…"""
    router = APIRouter(prefix="/review", route_class=PageRoute, include_in_schema=False)
    assistant = desk.services.assistant
    registry, store = assistant.registry, assistant.store

    @router.get("/models")
    async def show_models(request: Request, asked: int = 0) -> Response:
        await desk.user(request)
        return await desk.page(
            request,
            "models.html",
            versions=await asyncio.to_thread(registry.versions),
            history=(await asyncio.to_thread(registry.history))[::-1][:RUNS],
            runs=await store.learning_runs(limit=RUNS),
            running=await store.learning_now(),
            worker=await store.worker_alive(),
            counts=await store.correction_counts(),
            asked=bool(asked),
            shown=SHOWN,
            figure=figure,
        )

    @router.get("/models/{version_id}")
    async def show_model(request: Request, version_id: str) -> Response:
        await desk.user(request)
        version = await asyncio.to_thread(registry.version, version_id)
        return await desk.page(
            request, "model.html", version=version, rows=rows(version.report), figure=figure
        )

    _add_actions(router, desk)
    return router


def _add_actions(router: APIRouter, desk: Desk) -> None:
    registry, store = desk.services.assistant.registry, desk.services.assistant.store

    @router.post("/models/learn")
    async def learn(request: Request) -> Response:
        user, _ = await desk.form(request)
        if not await store.worker_alive():
            raise HttpError(503, "no worker is running that could learn: see `agent learn`")
        await store.request_learning(user.name)
        await desk.record(user, "asked to learn")
        return see("/review/models?asked=1#runs")

    @router.post("/models/rollback")
    async def rollback(request: Request) -> Response:
        user, form = await desk.form(request, "admin")
        version = await asyncio.to_thread(
            registry.rollback, by=user.name, reason=form.get("reason")
        )
        await store.announce({"model": version.id, "action": "rollback"})
        return see("/review/models")

    @router.post("/models/{version_id}/promote")
    async def promote(request: Request, version_id: str) -> Response:
        user, form = await desk.form(request, "admin")
        version = await asyncio.to_thread(
            registry.promote, version_id, by=user.name, reason=form.get("reason")
        )
        await store.announce({"model": version.id, "action": "promoted"})
        return see("/review/models")


def figure(report: Mapping[str, Any], part: str, name: str) -> float | None:
    """A figure of a report, None where it has none."""
    inner = report.get(part)
    value = inner.get(name) if isinstance(inner, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def rows(report: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """A report as lines of name and value, nested names joined by dots.

    >>> rows({"intent": {"n": 3, "accuracy": 0.5}})
    [('intent.n', '3'), ('intent.accuracy', '0.5')]
    """
    found: list[tuple[str, str]] = []
    for name, value in report.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping):
            found += rows(value, f"{path}.")
        elif not isinstance(value, list | tuple):
            found.append((path, str(value)))
    return found
