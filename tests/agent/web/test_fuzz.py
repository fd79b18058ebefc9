"""Requests made up from our own OpenAPI document: none may cost a 500, whatever it holds."""

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from tests.agent.web.serving import serving

FULL = bool(os.environ.get("INTENT_AGENT_FULL_COUNTS"))
REQUESTS = 10_000 if FULL else 300
# They start trainings and tests in child processes; their own tests bound them.
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
LEFT_OUT = r"^/model/(train|test)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a port of loopback, in a thread of its own."""
    started: list[str] = []
    ready, stop = threading.Event(), threading.Event()
    root = tmp_path_factory.mktemp("served")

    async def run() -> None:
        async with serving(root, server={"messages_per_minute": 0}) as served:
            config = uvicorn.Config(served.app, port=0, log_config=None, lifespan="off")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            started.append(f"http://127.0.0.1:{port}")
            ready.set()
            await asyncio.to_thread(stop.wait)
            server.should_exit = True
            await task

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(30)
    yield started[0]
    stop.set()
    thread.join()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_made_up_requests_get_answers_that_the_document_knows(
    address: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json").exclude(path_regex=LEFT_OUT)
    operations: list[Any] = [
        found.ok()  # type: ignore[union-attr]
        for found in schema.get_all_operations()
    ]
    assert len(operations) > 20
    each = max(2, REQUESTS // 2 // len(operations))
    faults = {operation.label: _fault(operation, mode, each) for operation in operations}
    assert {label: fault for label, fault in faults.items() if fault} == {}


def _fault(operation: Any, mode: GenerationMode, count: int) -> str:
    """What is wrong with an operation's answers; empty if nothing is."""

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=not FULL,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=20)

    try:
        send()
    except Unsatisfiable:  # nothing in this operation can be wrong
        return ""
    except FailureGroup as found:
        return "\n".join(str(one) for one in found.exceptions)
    return ""
