"""Many conversations at once, in two processes on one Redis, which may even die meanwhile."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from agent.dialogue.tracker import Tracker
from agent.storage.embedded import find_executable
from agent.turn import new_id
from tests.agent.conversing import SCRIPT
from tests.agent.scripted import project, scripted_assistant

FULL = bool(os.environ.get("INTENT_AGENT_FULL_COUNTS"))
CONVERSATIONS, MESSAGES = (200, 20) if FULL else (24, 8)
TEXTS = ("hello", "money?", "bye")


def said(number: int) -> str:
    return TEXTS[number % 3] if number % 4 else f"message {number}"


@dataclass
class Worker:
    """One of the serving processes."""

    process: asyncio.subprocess.Process
    waiting: dict[str, "asyncio.Future[list[str]]"] = field(default_factory=dict)

    async def ask(self, conversation: str, text: str) -> list[str]:
        """Send a message and wait for its replies."""
        message_id = new_id()
        self.waiting[message_id] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": message_id, "conversation": conversation, "text": text})
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        return await asyncio.wait_for(self.waiting[message_id], 120)

    async def listen(self) -> None:
        """Hand out replies until the process ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            self.waiting.pop(told["id"]).set_result(told["replies"])


@asynccontextmanager
async def workers(root: Path, url: str, prefix: str, count: int) -> AsyncIterator[list[Worker]]:
    """Serving processes on one store, ready."""
    command = (sys.executable, "-m", "tests.agent.conversing", str(root), url, prefix)
    started = [
        await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        for _ in range(count)
    ]
    for process in started:
        assert process.stdout is not None
        assert json.loads(await process.stdout.readline()) == {"ready": True}
    serving = [Worker(process) for process in started]
    listening = [asyncio.create_task(worker.listen()) for worker in serving]
    yield serving
    for worker in serving:
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        await worker.process.wait()
    await asyncio.gather(*listening)


async def converse(serving: Sequence[Worker], conversation: int, numbers: range) -> None:
    """One person's messages, each after the answer to the one before, by the processes in turn."""
    for number in numbers:
        worker = serving[(conversation + number) % len(serving)]
        assert await worker.ask(f"c{conversation}", said(number)) != []


def facts(root: Path, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The tracker that events add up to, without times and ids."""
    domain = project(root).domain
    state = Tracker.from_events("c", domain, events).current_state("ALL")
    return json.loads(json.dumps(state, default=str), object_hook=_timeless)  # type: ignore[no-any-return]


def _timeless(data: dict[str, Any]) -> dict[str, Any]:
    hidden = ("timestamp", "message_id", "latest_event_time", "sender_id")
    return {key: value for key, value in data.items() if key not in hidden}


async def sequential(root: Path) -> dict[str, Any]:
    """The tracker after one person's messages, alone in one process."""
    async with scripted_assistant(root, SCRIPT) as assistant:
        for number in range(MESSAGES):
            await assistant.say(said(number))
        return facts(root, await assistant.store.load_events("c1"))


async def test_conversations_at_once_in_two_processes_end_as_one_after_the_other(
    tmp_path: Path,
) -> None:
    prefix = new_id()
    async with scripted_assistant(tmp_path, SCRIPT, prefix=prefix) as assistant:
        async with workers(tmp_path, "embedded:", prefix, 2) as serving:
            talks = (converse(serving, c, range(MESSAGES)) for c in range(CONVERSATIONS))
            await asyncio.gather(*talks)
        stored = {c: await assistant.store.load_events(f"c{c}") for c in range(CONVERSATIONS)}
        turns = await assistant.store.turn_count()
    expected = await sequential(tmp_path)
    for conversation, events in stored.items():
        assert facts(tmp_path, events) == expected, f"conversation {conversation}"
    assert turns == CONVERSATIONS * MESSAGES


@contextmanager
def redis_server(folder: Path) -> Iterator[Redis]:
    """A durable Redis process; ended with the block."""
    socket_path = folder / "r.sock"
    command = [str(find_executable()), "--port", "0", "--unixsocket", str(socket_path)]
    command += ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "always"]
    command += ["--save", "", "--logfile", str(folder / "log")]
    client = Redis(unix_socket_path=str(socket_path))
    with subprocess.Popen(command) as process:
        try:
            yield client
        finally:
            process.kill()


async def until_up(client: Redis) -> None:
    for _ in range(400):
        try:
            client.ping()
        except RedisError:
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError("Redis did not come up")


async def test_conversations_go_on_when_redis_dies_and_comes_back(tmp_path: Path) -> None:
    prefix, people, half = new_id(), range(6), MESSAGES // 2
    url = f"unix://{tmp_path / 'r.sock'}"
    with redis_server(tmp_path) as client:
        await until_up(client)
        stack = workers(tmp_path, url, prefix, 1)
        serving = await stack.__aenter__()
        await asyncio.gather(*(converse(serving, c, range(half)) for c in people))
    await asyncio.gather(*(converse(serving, c, range(half, half + 1)) for c in people))
    with redis_server(tmp_path) as client:
        await until_up(client)
        await asyncio.gather(*(converse(serving, c, range(half + 1, MESSAGES)) for c in people))
        await stack.__aexit__(None, None, None)
        async with scripted_assistant(tmp_path, SCRIPT, url, prefix=prefix) as assistant:
            await assistant.store.drain()
            stored = [await assistant.store.load_events(f"c{c}") for c in people]
            turns = await assistant.store.turn_count()
    (tmp_path / "alone").mkdir()
    expected = await sequential(tmp_path / "alone")
    assert [facts(tmp_path, events) == expected for events in stored] == [True] * len(people)
    assert turns == len(people) * MESSAGES
