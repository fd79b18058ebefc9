from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.feedback.queue import ReviewQueue
from agent.feedback.queue_item import LANGUAGE_MODEL, Judgement, QueueItem
from agent.settings import load_settings
from agent.storage.store import Store
from agent.turn import Entity, IntentScore, Message, Proposal, Turn, Understanding
from agent.turn_record import turn_record

TEXT = "I am short of 500 euros"
UNSURE = (IntentScore("nlu_fallback", 0.7), IntentScore("card", 0.45), IntentScore("loan", 0.44))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open("embedded:", tmp_path) as store:
        yield store


@pytest.fixture
def queue(store: Store) -> ReviewQueue:
    quiet = {"draw": 0.0, "double_check": 0.0}
    return ReviewQueue(store, load_settings(environ={}).feedback.model_copy(update=quiet))


async def say(store: Store, number: int, proposal: Proposal) -> None:
    turn = Turn(
        id=f"t{number}",
        message=Message(f"m{number}", f"c{number}", TEXT),
        understanding=Understanding(TEXT, UNSURE, proposal=proposal),
        decisions=(),
        replies=(),
        model_version="v1",
        took_ms=1.0,
    )
    await store.commit_turn(turn_record(turn), f"c{number}", [])


async def only(queue: ReviewQueue) -> QueueItem:
    await queue.refresh()
    (item,) = await queue.items()
    return item


AMOUNT = Entity("amount", 14, 23, "500 euros", "500 euros")


async def test_a_proposal_waits_for_a_reviewer_as_a_wish(store: Store, queue: ReviewQueue) -> None:
    await say(store, 1, Proposal("loan", (AMOUNT,), trust=0.5))
    (wish,) = (await only(queue)).asked
    assert (wish.author, wish.intent, wish.trust) == (LANGUAGE_MODEL, "loan", "anonymous")
    assert wish.reason == "proposed by the language model, trust 0.50"
    assert wish.entities is not None
    assert (wish.entities[0].label, wish.entities[0].start, wish.entities[0].end) == (
        "amount",
        14,
        23,
    )
    assert await store.corrections("accepted") == []


async def test_the_reason_names_the_language_model_and_no_users(
    store: Store, queue: ReviewQueue
) -> None:
    await say(store, 1, Proposal("loan"))
    item = await only(queue)
    assert item.proposals[0].authors == "the language model"
    assert "the language model says loan" in [reason.note for reason in item.reasons]


async def test_a_later_proposal_takes_the_place_of_the_earlier(
    store: Store, queue: ReviewQueue
) -> None:
    await say(store, 1, Proposal("loan"))
    await only(queue)
    await say(store, 2, Proposal("card"))
    assert [wish.intent for wish in (await only(queue)).asked] == ["card"]


async def test_that_nothing_fits_is_no_wish(store: Store, queue: ReviewQueue) -> None:
    await say(store, 1, Proposal(None))
    assert (await only(queue)).asked == ()


async def test_a_reviewer_who_agrees_makes_it_a_correction(
    store: Store, queue: ReviewQueue
) -> None:
    await say(store, 1, Proposal("loan"))
    item = await only(queue)
    await queue.decide(item.id, "ops", Judgement("correct", intent="loan"))
    (correction,) = await store.corrections("accepted")
    assert (correction.intent, correction.reviewer) == ("loan", "ops")
