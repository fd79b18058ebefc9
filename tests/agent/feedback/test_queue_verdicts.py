"""What reviewers decide: leases, verdicts, undo, second opinions."""

import asyncio

import pytest

from agent.feedback.correction import Correction
from agent.feedback.queue import ReviewQueue
from agent.feedback.queue_item import Judgement, QueueItem
from agent.feedback.service import Feedback
from agent.feedback.submission import Author, Said
from agent.storage.corrections import ConflictError
from agent.storage.store import Store
from knowledge.errors import InputError
from tests.agent.feedback.conftest import Talk, only, options


async def test_two_reviewers_never_hold_the_same_item(queue: ReviewQueue, talk: Talk) -> None:
    for number in range(20):
        await talk.say(f"question number {number} {'x' * number}")
    await queue.refresh()
    claims = [queue.claim(f"r{i}") for i in range(25)]
    held = [item.id for item in await asyncio.gather(*claims) if item is not None]
    assert len(held) == len(set(held)) == 20


async def test_a_held_item_is_refused_to_others_until_it_is_released(
    queue: ReviewQueue, talk: Talk
) -> None:
    await talk.say("torn")
    item = await only(queue)
    await queue.claim("ann", item.id)
    with pytest.raises(ConflictError, match="ann"):
        await queue.claim("bob", item.id)
    with pytest.raises(ConflictError, match="ann"):
        await queue.decide(item.id, "bob", Judgement("right"))
    await queue.release(item.id, "ann")
    held = (await queue.claim("bob", item.id) or item).held
    assert held is not None
    assert held.by == "bob"


async def test_a_lease_runs_out(store: Store, talk: Talk) -> None:
    queue = ReviewQueue(store, options(lease_s=0.05))
    await talk.say("torn")
    item = await only(queue)
    await queue.claim("ann", item.id)
    await asyncio.sleep(0.1)
    assert await queue.claim("bob") is not None


async def test_a_decision_writes_an_accepted_correction_and_ends_the_item(
    store: Store, talk: Talk
) -> None:
    told: list[Correction] = []
    queue = ReviewQueue(store, options(), listeners=[told.append])
    turn = await talk.say("torn")
    item = await only(queue)
    done = await queue.decide(item.id, "ann", Judgement("correct", intent="bye"))
    (correction,) = await store.corrections("accepted")
    assert (done.state, correction.intent, correction.turn_id) == ("done", "bye", turn)
    assert told == [correction]
    assert correction.entry == await store.corrections_position()
    assert await queue.items() == []


async def test_a_verdict_decides_what_users_had_asked_for(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    feedback = Feedback(store)
    right = await feedback.submit(await talk.say("torn"), Said("bye"), Author("a", "signed_in"))
    wrong = await feedback.submit(await talk.say("torn"), Said("pay"), Author("b", "signed_in"))
    item = await only(queue)
    await queue.decide(item.id, "ann", Judgement("correct", intent="bye"))
    states = {one.id: one.state for one in await store.corrections()}
    assert states == {right.id: "accepted", wrong.id: "rejected"}


async def test_a_thumb_down_is_decided_but_the_correction_is_written_all_the_same(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    turn = await talk.say("torn")
    await Feedback(store).submit(turn, Said(liked=False), Author("ada"))
    await queue.decide((await only(queue)).id, "eve", Judgement("correct", intent="bye"))
    accepted = await store.corrections("accepted")
    assert sorted((c.kind, c.intent) for c in accepted) == [("intent", "bye"), ("thumbs", None)]


async def test_undo_takes_back_all_that_a_verdict_did(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    feedback = Feedback(store)
    asked = await feedback.submit(await talk.say("torn"), Said("pay"), Author("b", "signed_in"))
    item = await only(queue)
    await queue.decide(item.id, "ann", Judgement("correct", intent="bye"))
    again = await queue.undo(item.id, "ann")
    assert (again.state, again.proposals[0].intent) == ("open", "pay")
    assert [one.id for one in await store.corrections("pending")] == [asked.id]
    assert await store.corrections("accepted") == []


async def test_only_the_last_reviewer_can_undo(queue: ReviewQueue, talk: Talk) -> None:
    await talk.say("torn")
    item = await only(queue)
    await queue.decide(item.id, "ann", Judgement("right"))
    with pytest.raises(InputError, match="not yours"):
        await queue.undo(item.id, "bob")


async def test_a_verdict_may_hold_for_other_wordings_too(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    await talk.say("torn apart")
    await talk.say("Torn, apart!")
    item = await only(queue)
    verdict = Judgement("correct", intent="bye")
    await queue.decide(item.id, "ann", verdict, texts=["Torn, apart!"])
    found = {one.text for one in await store.corrections("accepted")}
    assert found == {"torn apart", "Torn, apart!"}
    await queue.undo(item.id, "ann")
    with pytest.raises(InputError, match="no wording"):
        await queue.decide(item.id, "ann", verdict, texts=["never said"])


async def test_skipping_leaves_an_item_to_others(queue: ReviewQueue, talk: Talk) -> None:
    await talk.say("torn")
    item = await only(queue)
    await queue.decide(item.id, "ann", Judgement("skip"))
    assert await queue.claim("ann") is None
    assert await queue.claim("bob") is not None


async def test_a_stale_view_is_refused(queue: ReviewQueue, talk: Talk) -> None:
    await talk.say("torn")
    item = await only(queue)
    await talk.say("torn")
    await queue.refresh()
    with pytest.raises(ConflictError):
        await queue.decide(item.id, "ann", Judgement("right"), revision=item.revision)


async def test_an_unknown_intent_must_be_meant(store: Store, talk: Talk) -> None:
    queue = ReviewQueue(store, options(), intents=lambda: ["greet", "bye"])
    await talk.say("torn")
    item = await only(queue)
    with pytest.raises(InputError, match="did you mean greet"):
        await queue.decide(item.id, "ann", Judgement("correct", intent="gret"))
    meant = Judgement("correct", intent="block_card", new_intent=True)
    assert (await queue.decide(item.id, "ann", meant)).state == "done"


async def doubly_checked(store: Store, talk: Talk) -> tuple[ReviewQueue, QueueItem]:
    """A queue whose items two reviewers judge, and the one that waits in it."""
    queue = ReviewQueue(store, options(double_check=1.0))
    await talk.say("something else")
    await talk.say("torn")
    await queue.refresh()
    other, item = sorted(await queue.items(), key=lambda one: one.text)
    await queue.decide(other.id, "bob", Judgement("skip"))
    return queue, item


async def test_reviewers_who_differ_leave_an_item_disputed_and_a_third_decides(
    store: Store, talk: Talk
) -> None:
    queue, item = await doubly_checked(store, talk)
    await queue.decide(item.id, "ann", Judgement("correct", intent="bye"))
    disputed = await queue.decide(item.id, "bob", Judgement("correct", intent="pay"))
    assert disputed.state == "disputed"
    assert await store.corrections("accepted") == []
    await queue.decide(item.id, "cy", Judgement("correct", intent="pay"))
    assert [one.intent for one in await store.corrections("accepted")] == ["pay"]


async def test_a_second_reviewer_agrees_by_accepting_what_the_first_corrected_to(
    store: Store, talk: Talk
) -> None:
    queue, item = await doubly_checked(store, talk)
    await queue.decide(item.id, "ann", Judgement("correct", intent="bye", entities=()))
    await talk.say("torn", (("bye", 1.0), ("greet", 0.0)), source="correction")
    await queue.refresh()
    assert (await queue.decide(item.id, "bob", Judgement("right"))).state == "done"
    assert [one.intent for one in await store.corrections("accepted")] == ["bye"]
    assert (await queue.agreement()).share == 1.0


async def test_a_second_opinion_taken_back_leaves_the_first_in_force(
    store: Store, talk: Talk
) -> None:
    queue = ReviewQueue(store, options(double_check=1.0))
    await talk.say("something else")
    wish = await Feedback(store).submit(
        await talk.say("torn"), Said("bye"), Author("b", "signed_in")
    )
    await queue.refresh()
    other, item = sorted(await queue.items(), key=lambda one: one.text)
    await queue.decide(other.id, "bob", Judgement("skip"))
    await queue.decide(item.id, "ann", Judgement("correct", intent="bye"))
    await queue.decide(item.id, "bob", Judgement("correct", intent="pay"))
    again = await queue.undo(item.id, "bob")
    assert (again.state, again.asked) == ("open", ())
    assert [one.id for one in await store.corrections("accepted")] == [wish.id]
    assert (await queue.undo(item.id, "ann")).asked[0].correction_id == wish.id
    assert await store.corrections("accepted") == []


async def test_what_users_complain_of_again_is_judged_anew_by_the_same_reviewer(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    await talk.say("torn")
    item = await only(queue)
    await queue.decide(item.id, "ann", Judgement("correct", intent="bye"))
    for wanted in ("bye", "pay"):
        turn = await talk.say("torn", (("bye", 1.0), ("greet", 0.0)), source="correction")
        await Feedback(store).submit(turn, Said(liked=False), Author(f"user for {wanted}"))
        await queue.refresh()
        again = await queue.claim("ann")
        assert again is not None
        assert "second" not in [reason.kind for reason in again.reasons]
        done = await queue.decide(item.id, "ann", Judgement("correct", intent=wanted))
        assert done.state == "done"
        found = [c for c in await store.corrections("accepted") if c.kind == "intent"]
        assert [one.intent for one in found] == [wanted]
    await queue.undo(item.id, "ann")
    found = [c for c in await store.corrections("accepted") if c.kind == "intent"]
    assert [one.intent for one in found] == ["bye"]


async def test_agreement_counts_items_that_were_judged_twice(store: Store, talk: Talk) -> None:
    queue = ReviewQueue(store, options(double_check=1.0))
    for text in ("torn", "other thing"):
        await talk.say(text)
    await queue.refresh()
    first, second = await queue.items()
    await queue.decide(second.id, "bob", Judgement("right"))
    await queue.decide(first.id, "ann", Judgement("right"))
    await queue.decide(first.id, "bob", Judgement("right"))
    found = await queue.agreement()
    assert (found.items, found.agreed, found.pairs) == (1, 1, {("ann", "bob"): (1, 1)})
