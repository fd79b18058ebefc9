"""Model versions: their reports, learn now, promote, roll back."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from agent.storage.counters import compare
from agent.web.errors import HttpError
from agent.web.pages.desk import Desk, PageRoute, see

RUNS = 20
# What a list shows of a report: part, figure, heading.
SHOWN = (
    ("intent", "accuracy", "Intent accuracy"),
    ("intent", "macro_f1", "Macro F1"),
    ("entity", "f1", "Entity F1"),
    ("oos", "auroc", "Out-of-scope AUROC"),
)


_NAMES = {
    "split": "measured on",
    "intent": "Intents",
    "entity": "Entities",
    "oos": "Out of scope",
    "n": "messages",
    "macro_f1": "macro F1",
    "f1": "F1",
    "ece": "calibration error (ECE)",
    "auroc": "AUROC",
    "false_oos": "in-scope messages flagged",
}


def build_router(desk: Desk) -> APIRouter:
    """The routes /review/models…"""
    router = APIRouter(prefix="/review", route_class=PageRoute, include_in_schema=False)
    assistant = desk.services.assistant
    registry, store = assistant.registry, assistant.store

    @router.get("/models")
    async def show_models(request: Request) -> Response:
        await desk.user(request)
        runs = await store.learning.runs(limit=RUNS)
        on_trial, today = await asyncio.to_thread(registry.trial), await store.counters()
        return await desk.page(
            request,
            "models.html",
            versions=await asyncio.to_thread(registry.versions),
            earlier=await asyncio.to_thread(registry.earlier),
            history=(await asyncio.to_thread(registry.history))[::-1][:RUNS],
            runs=runs,
            kept_back=kept_back(runs),
            running=await store.learning.now(),
            worker=await store.learning.worker_alive(),
            trial=on_trial,
            today=today,
            compared=compare(today, on_trial.model) if on_trial else {},
            counts=await store.correction_counts(),
            asked=await store.learning.is_requested(),
            shown=SHOWN,
            figure=figure,
        )

    @router.get("/models/{version_id}")
    async def show_model(request: Request, version_id: str) -> Response:
        await desk.user(request)
        version = await asyncio.to_thread(registry.version, version_id)
        serving = await asyncio.to_thread(registry.production)
        present = {} if serving is None else dict(figures(serving.report))
        return await desk.page(
            request,
            "model.html",
            version=version,
            rows=figures(version.report),
            present=present if serving is not None and serving.id != version.id else {},
            text=await asyncio.to_thread(_report_text, version.path),
        )

    _add_actions(router, desk)
    _add_trials(router, desk)
    return router


def _add_actions(router: APIRouter, desk: Desk) -> None:
    registry, store = desk.services.assistant.registry, desk.services.assistant.store

    @router.post("/models/learn")
    async def learn(request: Request) -> Response:
        user, _ = await desk.form(request)
        if not await store.learning.worker_alive():
            raise HttpError(503, "no worker is running that could learn: see `agent learn`")
        await store.learning.request(user.name)
        await desk.record(user, "asked to learn")
        return see("/review/models#runs")

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


def _add_trials(router: APIRouter, desk: Desk) -> None:
    registry = desk.services.assistant.registry

    @router.post("/models/{version_id}/trial")
    async def try_out(request: Request, version_id: str) -> Response:
        user, _ = await desk.form(request, "admin")
        await asyncio.to_thread(registry.start_trial, version_id, "shadow")
        await desk.record(user, "put on trial", version_id)
        return see("/review/models")

    @router.post("/models/trial/end")
    async def end(request: Request) -> Response:
        user, _ = await desk.form(request, "admin")
        trial = await asyncio.to_thread(registry.trial)
        await asyncio.to_thread(registry.end_trial)
        await desk.record(user, "ended the trial of", trial.model if trial else "")
        return see("/review/models")


def kept_back(runs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Why the versions that runs have made do not serve, by their ids.

    >>> kept_back([{"decision": "kept", "reason": "it is worse", "challenger": {"id": "m2"}}])
    {'m2': 'it is worse'}
    """
    kept = [run for run in runs if run.get("decision") == "kept"]
    found = [((run.get("challenger") or {}).get("id"), run.get("reason") or "") for run in kept]
    return {str(name): str(reason) for name, reason in found if name}


def figure(report: Mapping[str, Any], part: str, name: str) -> float | None:
    """A figure of a report, None where it has none."""
    inner = report.get(part)
    value = inner.get(name) if isinstance(inner, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def figures(report: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """A report as lines of name and value; parts and figures by their names for people.

    >>> figures({"split": "dev", "intent": {"n": 3, "accuracy": 0.5}})
    [('Measured on', 'dev'), ('Intents: messages', '3'), ('Intents: accuracy', '0.500')]
    """
    found: list[tuple[str, str]] = []
    for name, value in report.items():
        part = f"{above}{_NAMES.get(name, name.replace('_', ' '))}"
        if isinstance(value, Mapping):
            found += figures(value, f"{part}: ")
        elif not isinstance(value, list | tuple):
            shown = f"{value:.3f}" if isinstance(value, float) else str(value)
            found.append((part[:1].upper() + part[1:], shown))
    return found


def _report_text(folder: Path) -> str:
    """The report that was written for people beside a model, empty if there is none."""
    try:
        return (folder / "report.md").read_text(encoding="utf-8")
    except OSError:
        return ""
