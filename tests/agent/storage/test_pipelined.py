import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, NoScriptError, ResponseError

from agent.storage.connection import Connection
from agent.storage.pipelined import Pipelined


class CountingClient:
    """Hands out the pipelines of a real client and counts them."""

    def __init__(self, client: Redis) -> None:
        self.client, self.pipelines = client, 0

    def pipeline(self, *, transaction: bool) -> object:
        self.pipelines += 1
        return self.client.pipeline(transaction=transaction)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Redis]:
    connection = await Connection.open("embedded:", tmp_path)
    yield connection.client
    await connection.close()


async def test_what_is_asked_for_together_goes_in_one_pipeline(client: Redis) -> None:
    counting = CountingClient(client)
    scripts = Pipelined(counting)  # type: ignore[arg-type]
    asked = [scripts.eval("return ARGV[1]", 0, str(n)) for n in range(5)]
    assert await asyncio.gather(*asked) == ["0", "1", "2", "3", "4"]
    assert counting.pipelines == 1


async def test_each_command_gets_its_own_answer_or_error(client: Redis) -> None:
    scripts = Pipelined(client)
    found = await asyncio.gather(
        scripts.eval("return 1", 0),
        scripts.eval("return redis.error_reply('no')", 0),
        scripts.evalsha("0" * 40, 0),
        scripts.eval("return 4", 0),
        return_exceptions=True,
    )
    assert (found[0], found[3]) == (1, 4)
    assert isinstance(found[1], ResponseError)
    assert isinstance(found[2], NoScriptError)


async def test_all_that_went_together_fail_where_the_connection_does() -> None:
    async with Redis(host="127.0.0.1", port=1) as nobody:
        scripts = Pipelined(nobody)
        asked = [scripts.eval("return 1", 0) for _ in range(3)]
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionError] * 3


async def test_one_that_no_longer_waits_costs_the_others_nothing(client: Redis) -> None:
    scripts = Pipelined(client)
    asked = [asyncio.create_task(scripts.eval("return ARGV[1]", 0, str(n))) for n in range(3)]
    await asyncio.sleep(0)
    asked[1].cancel()
    assert await asked[0] == "0"
    assert await asked[2] == "2"
