"""A review queue over a store of its own, and turns as conversations would log them."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.feedback.queue import ReviewQueue
from agent.feedback.queue_item import QueueItem
from agent.settings import FeedbackSettings, load_settings
from agent.storage.store import Store
from agent.turn import Button, Decision, IntentScore, Message, Reply, Turn, Understanding, now
from agent.turn_record import turn_record

SURE = (("greet", 0.99), ("bye", 0.01))


UNSURE = (("greet", 0.45), ("bye", 0.44))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open("embedded:", tmp_path) as store:
        yield store


def options(**changes: Any) -> FeedbackSettings:
    quiet = load_settings(environ={}).feedback.model_copy(
        update={"draw": 0.0, "double_check": 0.0, **changes}
    )
    return quiet


@pytest.fixture
def queue(store: Store) -> ReviewQueue:
    return ReviewQueue(store, options())


class Talk:
    """Logs turns as conversations would."""

    def __init__(self, store: Store) -> None:
        self.store, self.count, self.at = store, 0, now()

    async def say(
        self,
        text: str,
        ranking: Sequence[tuple[str, float]] = UNSURE,
        *,
        conversation: str | None = None,
        actions: Sequence[str] = (),
        buttons: Sequence[str] = (),
        source: str = "model",
        later_s: float = 10.0,
        **reply: Any,
    ) -> str:
        self.count += 1
        self.at += timedelta(seconds=later_s)
        conversation = conversation or f"c{self.count}"
        scores = tuple(IntentScore(name, share) for name, share in ranking)
        turn = Turn(
            id=f"t{self.count}",
            message=Message(f"m{self.count}", conversation, text, received_at=self.at),
            understanding=Understanding(text, scores, source=source),
            decisions=tuple(Decision(action, "test") for action in actions),
            replies=(Reply(conversation, "?", tuple(Button(b, b) for b in buttons), **reply),),
            model_version="v1",
            took_ms=1.0,
        )
        await self.store.commit_turn(turn_record(turn), conversation, [])
        return turn.id


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store)


async def texts(queue: ReviewQueue, **filters: Any) -> list[str]:
    await queue.refresh()
    return [item.text for item in await queue.items(**filters)]


async def only(queue: ReviewQueue) -> QueueItem:
    await queue.refresh()
    (item,) = await queue.items()
    return item
