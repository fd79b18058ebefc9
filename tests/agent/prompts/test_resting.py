import asyncio

import pytest

from agent.errors import GeneratorError, PromptError
from agent.prompts.generator import OnText
from agent.prompts.resting import RestingGenerator


class Failing:
    def __init__(self) -> None:
        self.calls, self.fails, self.closed = 0, True, False

    async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
        self.calls += 1
        if self.fails:
            raise GeneratorError("away")
        return "yes"

    async def close(self) -> None:
        self.closed = True


async def test_after_a_failure_a_model_is_left_alone_for_a_while() -> None:
    clock = [0.0]
    inner = Failing()
    resting = RestingGenerator(inner, pause_s=10.0, clock=lambda: clock[0])
    for moment, reason, calls in ((0.0, "away", 1), (9.0, "left alone", 1), (10.0, "away", 2)):
        clock[0] = moment
        with pytest.raises(GeneratorError, match=reason):
            await resting.generate("", "")
        assert inner.calls == calls
    inner.fails = False
    clock[0] = 20.0
    assert [await resting.generate("", "") for _ in range(2)] == ["yes", "yes"]
    await resting.close()
    assert inner.closed


async def test_a_model_that_takes_too_long_is_left_alone_as_well() -> None:
    class Slow(Failing):
        async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
            self.calls += 1
            await asyncio.sleep(10)
            return "late"

    inner = Slow()
    resting = RestingGenerator(inner, limit_s=0.01)
    with pytest.raises(GeneratorError, match=r"no answer in 0\.01 s"):
        await resting.generate("", "")
    assert resting.rests
    with pytest.raises(GeneratorError, match="left alone"):
        await resting.generate("", "")
    assert inner.calls == 1


async def test_a_prompt_that_does_not_suit_the_model_is_no_failure_of_it() -> None:
    class Picky(Failing):
        async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
            raise PromptError("too long")

    resting = RestingGenerator(Picky())
    with pytest.raises(PromptError):
        await resting.generate("", "")
    assert not resting.rests
