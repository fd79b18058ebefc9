import random
from typing import Any

import pytest

from agent.errors import GeneratorError
from agent.project.types import ResponseVariation
from agent.prompts.generator import OnText
from agent.prompts.responses import DomainResponses
from agent.prompts.rewording import RewordedResponses
from agent.prompts.templates import load_templates
from tests.agent.actions.fakes import domain, heard, tracker

TEXT = "The fee is 8 euros, see https://bank.test/fees."


class Says:
    def __init__(self, said: str | Exception) -> None:
        self.said, self.asked = said, list[tuple[str, str]]()

    async def generate(self, system: str, user: str, *, on_text: OnText | None = None) -> str:
        self.asked.append((system, user))
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    async def close(self) -> None: ...


async def draft(
    says: Says, *, everything: bool = False, allowed: bool = True, **variation: Any
) -> dict[str, Any]:
    of = domain(responses={"utter_fee": (ResponseVariation(text=TEXT, **variation),)})
    source = RewordedResponses(
        DomainResponses(of, random.Random(0)),
        says,
        load_templates(),
        allowed=lambda: allowed,
        everything=everything,
    )
    on = tracker(of, heard("what does it cost?"))
    found = await source.draft("utter_fee", on, channel="rest", arguments={})
    assert found is not None
    return found


ASKED = {"rephrase": True}
GOOD = "You pay 8 euros (https://bank.test/fees)."


async def test_a_response_that_asks_for_it_is_said_in_other_words() -> None:
    says = Says(GOOD)
    said = await draft(says, metadata=ASKED)
    assert said["text"] == GOOD
    assert set(said["prompts"]) == {"reword"}
    ((system, user),) = says.asked
    assert user == TEXT
    assert "user: what does it cost?" in system


@pytest.mark.parametrize(
    ("everything", "metadata", "reworded"),
    [(True, {}, True), (True, {"rephrase": False}, False), (False, {}, False)],
)
async def test_the_setting_and_the_response_say_whether(
    everything: bool, metadata: dict[str, bool], reworded: bool
) -> None:
    said = await draft(Says(GOOD), everything=everything, metadata=metadata)
    assert (said["text"] == GOOD) is reworded


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "You pay 9 euros (https://bank.test/fees).",
        "You pay 8 euros.",
        "You pay 8 euros (https://evil.test/fees).",
        "You pay 8 euros, or 5 on Mondays (https://bank.test/fees).",
        f"You pay 8 euros (https://bank.test/fees). {'And more. ' * 50}",
        GeneratorError("too slow"),
    ],
)
async def test_other_facts_are_not_said(wrong: str | Exception) -> None:
    said = await draft(Says(wrong), metadata=ASKED)
    assert said["text"] == TEXT
    assert "prompts" not in said


async def test_a_spent_day_says_responses_as_they_are_written() -> None:
    says = Says(GOOD)
    assert (await draft(says, metadata=ASKED, allowed=False))["text"] == TEXT
    assert says.asked == []
