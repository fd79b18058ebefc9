import asyncio
import time
from collections.abc import Sequence

import pytest

from agent.together import Together
from agent.turn import Understanding


class Model:
    """Understands anything but "bad" and "worse", and notes what it was given together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        """Each text as it stands."""
        self.batches.append(list(texts))
        if {"bad", "worse"} & set(texts):
            raise ValueError("cannot be understood")
        return [Understanding(text) for text in texts]


async def test_messages_that_arrive_together_go_through_the_network_once() -> None:
    model, together = Model(), Together()
    asked = [together.understand(model.understand, text) for text in ("a", "b", "c")]
    assert [heard.text for heard in await asyncio.gather(*asked)] == ["a", "b", "c"]
    assert model.batches == [["a", "b", "c"]]


async def test_a_message_that_comes_alone_waits_for_nobody() -> None:
    model, together = Model(), Together()
    for text in ("a", "b"):
        assert (await together.understand(model.understand, text)).text == text
    assert model.batches == [["a"], ["b"]]


async def test_each_model_understands_its_own_messages() -> None:
    first, second, together = Model(), Model(), Together()
    asked = [together.understand(model.understand, "a") for model in (first, second)]
    await asyncio.gather(*asked)
    assert (first.batches, second.batches) == ([["a"]], [["a"]])


async def test_a_message_that_cannot_be_understood_costs_the_others_nothing() -> None:
    model, together = Model(), Together()
    asked = [together.understand(model.understand, text) for text in ("a", "bad", "b")]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(found[1], ValueError)
    assert [heard.text for heard in found if isinstance(heard, Understanding)] == ["a", "b"]


async def test_an_answer_that_nobody_waits_for_any_more_is_not_computed() -> None:
    model, together = Model(), Together()
    gone = together.understand(model.understand, "gone")
    kept = together.understand(model.understand, "kept")
    gone.cancel()
    assert (await kept).text == "kept"
    assert model.batches == [["kept"]]


async def test_an_error_that_nobody_hears_is_not_reported(
    recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    model, together = Model(), Together()
    together.understand(model.understand, "worse")
    await asyncio.sleep(0.01)
    assert not caplog.records


async def test_a_message_waits_for_those_that_are_announced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.together.PATIENCE_S", 60.0)
    model, together = Model(), Together()

    async def ask(text: str, after_rounds: int) -> Understanding:
        with together.announced():
            for _ in range(after_rounds):
                await asyncio.sleep(0)
            meaning = together.understand(model.understand, text)
        return await meaning

    await asyncio.gather(ask("a", 0), ask("b", 2), ask("c", 5))
    assert model.batches == [["a", "b", "c"]]


async def test_a_message_does_not_wait_long_for_one_that_fails_to_come() -> None:
    model, together = Model(), Together()
    with together.announced():
        async with asyncio.timeout(5):
            assert (await together.understand(model.understand, "a")).text == "a"
    assert model.batches == [["a"]]


async def _ask_after_work(together: Together, model: Model, text: str, rounds: int) -> None:
    for _ in range(rounds):
        time.sleep(0.001)  # work that keeps the event loop busy
        await asyncio.sleep(0)
    await together.understand(model.understand, text)


async def test_messages_that_other_work_brings_are_understood_with_those_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.together.BUSY_S", 60.0)
    model, together = Model(), Together()
    rounds = {"a": 0, "b": 3, "c": 6}
    asked = [_ask_after_work(together, model, text, count) for text, count in rounds.items()]
    await asyncio.gather(*asked)
    assert model.batches == [["a", "b", "c"]]


async def test_a_message_does_not_wait_long_for_an_event_loop_that_stays_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.together.BUSY_S", 0.005)
    model, together = Model(), Together()
    done = False

    async def keep_busy() -> None:
        while not done:
            time.sleep(0.001)
            await asyncio.sleep(0)

    busy = asyncio.create_task(keep_busy())
    async with asyncio.timeout(5):
        await together.understand(model.understand, "a")
    done = True
    await busy
    assert model.batches == [["a"]]
