import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.feedback.correction import Correction
from agent.feedback.folding import Opinion
from agent.feedback.queue import ReviewQueue, varied
from agent.feedback.queue_item import Judgement, QueueItem
from agent.feedback.service import Feedback
from agent.feedback.signals import Signal
from agent.feedback.submission import Author, Said
from agent.settings import FeedbackSettings, load_settings
from agent.storage.corrections import ConflictError
from agent.storage.store import Store
from agent.turn import Button, Decision, IntentScore, Message, Reply, Turn, Understanding, now
from agent.turn_record import turn_record
from knowledge.errors import InputError
from knowledge.passage import Passage, ScoredPassage

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


async def test_the_least_sure_message_comes_first_and_sure_ones_stay_out(
    queue: ReviewQueue, talk: Talk
) -> None:
    await talk.say("sure", SURE)
    await talk.say("fairly", (("greet", 0.7), ("bye", 0.2)))
    await talk.say("torn", UNSURE)
    assert await texts(queue) == ["torn", "fairly"]


async def test_each_item_says_why_it_is_there(queue: ReviewQueue, talk: Talk) -> None:
    await talk.say("torn", UNSURE)
    (reason,) = (await only(queue)).reasons
    assert (reason.kind, reason.note) == ("unsure", "45% greet, 44% bye")


async def test_equal_messages_are_one_item_with_a_count(queue: ReviewQueue, talk: Talk) -> None:
    for text in ("Block my card!", "block my card", "BLOCK  my card"):
        await talk.say(text)
    item = await only(queue)
    assert (item.count, len(item.texts)) == (3, 3)


async def test_one_persons_repetitions_count_once(queue: ReviewQueue, talk: Talk) -> None:
    for _ in range(3):
        await talk.say("block my card", conversation="c", later_s=600)
    assert (await only(queue)).count == 1


async def test_near_duplicates_are_folded_by_the_models_vectors(store: Store, talk: Talk) -> None:
    vectors = {
        "lost my card": [1.0, 0.0],
        "my card is lost": [0.99, 0.141],
        "open an account": [0.0, 1.0],
    }

    def consult(asked: Sequence[str]) -> list[Opinion]:
        rows = [np.array(vectors[text], np.float32) for text in asked]
        return [Opinion(row, (), (), "v1") for row in rows]

    queue = ReviewQueue(store, options(), consult=consult)
    for text in vectors:
        await talk.say(text)
    await queue.refresh()
    found = {item.text: item.texts for item in await queue.items()}
    assert found == {
        "lost my card": ("lost my card", "my card is lost"),
        "open an account": ("open an account",),
    }


async def test_what_users_ask_for_is_folded_into_proposals(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    feedback = Feedback(store)
    first, second = await talk.say("card gone", SURE), await talk.say("card gone", SURE)
    await feedback.submit(first, Said("block_card"), Author("ann", "signed_in"))
    await feedback.submit(second, Said("block_card"), Author("bob", "signed_in"))
    (proposal,) = (await only(queue)).proposals
    assert (proposal.intent, proposal.votes, proposal.trust) == ("block_card", 2, "signed_in")


async def test_an_anonymous_flood_weighs_no_more_than_one_known_user(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    feedback = Feedback(store)
    for _ in range(30):
        turn = await talk.say("good morning", SURE)
        await feedback.submit(turn, Said("block_card"), Author())
    turn = await talk.say("card gone", SURE)
    await feedback.submit(turn, Said("block_card"), Author("ann", "signed_in"))
    await queue.refresh()
    weights = {item.text: item.reasons[0].weight for item in await queue.items()}
    assert weights["good morning"] < weights["card gone"]


async def test_a_rephrasing_blames_the_answer_before_it(queue: ReviewQueue, talk: Talk) -> None:
    await talk.say("i want my card blocked", SURE, conversation="c")
    await talk.say("please have my card blocked", SURE, conversation="c")
    item = await only(queue)
    assert (item.text, item.noticed[0].kind) == ("i want my card blocked", "rephrased")


async def test_the_choice_after_a_clarification_is_a_proposal(
    queue: ReviewQueue, talk: Talk
) -> None:
    fallback, button = ["action_default_fallback"], ["/block_card"]
    await talk.say("card thing", conversation="c", actions=fallback, buttons=button)
    await talk.say("/block_card", conversation="c", source="payload")
    (proposal,) = (await only(queue)).proposals
    assert (proposal.intent, proposal.trust) == ("block_card", "anonymous")


async def test_a_button_that_leads_on_from_anywhere_says_nothing_of_what_was_meant(
    queue: ReviewQueue, talk: Talk
) -> None:
    fallback, doors = ["action_default_fallback"], ["/help", "/human_handoff"]
    await talk.say(
        "zorblax", conversation="c", actions=fallback, buttons=doors, metadata={"doors": True}
    )
    await talk.say("/human_handoff", conversation="c", source="payload", actions=["utter_handoff"])
    item = await only(queue)
    assert (item.proposals, item.noticed[0].kind) == ((), "given_up")


async def test_none_of_these_and_a_handoff_are_noticed(queue: ReviewQueue, talk: Talk) -> None:
    fallback, button = ["action_default_fallback"], ["/out_of_scope"]
    await talk.say("strange thing", SURE, conversation="c", actions=fallback, buttons=button)
    await talk.say("/out_of_scope", conversation="c", source="payload")
    await talk.say("a person please", SURE, actions=["action_human_handoff"])
    await queue.refresh()
    kinds = {item.text: item.noticed[0].kind for item in await queue.items()}
    assert kinds == {"strange thing": "none_of_these", "a person please": "handoff"}


async def test_asking_for_a_person_is_no_complaint_and_comes_after_what_is(
    queue: ReviewQueue, talk: Talk
) -> None:
    await talk.say("a person please", SURE, actions=["utter_human_handoff"])
    await talk.say("i want my card blocked", SURE, conversation="c")
    await talk.say("please have my card blocked", SURE, conversation="c")
    await queue.refresh()
    complaint, handoff = await queue.items()
    assert [(r.kind, r.note) for r in handoff.reasons if r.kind != "unsure"] == [
        ("handoff", "a person was asked for")
    ]
    assert complaint.reasons[0].kind == "complaint"


async def test_a_person_asked_for_after_a_failed_answer_blames_that_answer(
    queue: ReviewQueue, talk: Talk
) -> None:
    await talk.say("strange thing", SURE, conversation="c", actions=["action_default_fallback"])
    await talk.say("a person please", SURE, conversation="c", actions=["action_handoff"])
    await queue.refresh()
    kinds = {item.text: item.noticed[0].kind for item in await queue.items()}
    assert kinds == {"strange thing": "given_up", "a person please": "handoff"}
    assert [item.text for item in await queue.items(reason="complaint")] == ["strange thing"]


async def test_a_message_that_only_a_person_could_answer_is_a_complaint(
    queue: ReviewQueue, talk: Talk
) -> None:
    handed = ["action_default_fallback", "utter_handover"]
    await talk.say("strange thing", SURE, actions=handed)
    assert (await only(queue)).reasons[0].note == "a person had to take over"


async def test_silence_after_a_failed_answer_is_noticed_later(
    queue: ReviewQueue, talk: Talk
) -> None:
    await talk.say("hm", SURE, actions=["action_default_fallback"], later_s=-7200)
    item = await only(queue)
    assert item.noticed[0].kind == "abandoned"


async def test_what_the_knowledge_answered_is_no_failed_answer(
    queue: ReviewQueue, talk: Talk
) -> None:
    found = (ScoredPassage(Passage("p", "d", "Fees", "Eight.", 0, 6), 0.9),)
    fallback = ["action_default_fallback"]
    await talk.say("the fee?", SURE, actions=fallback, passages=found, later_s=-7200)
    assert await texts(queue) == []


async def test_a_channel_may_report_a_signal_itself(queue: ReviewQueue, talk: Talk) -> None:
    turn = await talk.say("hello there", SURE)
    await queue.refresh()
    await queue.signal(Signal("none_of_these", turn, "c1", "signed_in", now()))
    assert (await only(queue)).text == "hello there"


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


async def test_what_waits_is_disputed_held_and_done_is_counted(
    queue: ReviewQueue, talk: Talk
) -> None:
    for text in ("torn", "other thing", "third one"):
        await talk.say(text)
    await queue.refresh()
    first, second, _ = await queue.items()
    await queue.decide(first.id, "ann", Judgement("right"))
    await queue.claim("ann", second.id)
    assert await queue.counts() == {"open": 2, "disputed": 0, "held": 1, "done": 1}


async def test_drawn_messages_are_queued_and_marked(store: Store, talk: Talk) -> None:
    queue = ReviewQueue(store, options(draw=1.0))
    await talk.say("sure", SURE)
    item = await only(queue)
    await queue.decide(item.id, "ann", Judgement("right"))
    (correction,) = await store.corrections("accepted")
    assert item.drawn
    assert correction.drawn
    assert correction.intent == "greet"


async def test_what_a_reviewer_corrects_elsewhere_leaves_the_queue(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    turn = await talk.say("torn")
    await queue.refresh()
    await Feedback(store).correct(turn, intent="bye")
    assert await texts(queue) == []


async def test_taking_in_the_same_entries_in_two_processes_counts_them_once(
    store: Store, tmp_path: Path, talk: Talk
) -> None:
    for _ in range(30):
        await talk.say("torn")
    async with await Store.open("embedded:", tmp_path) as other:
        first, second = ReviewQueue(store, options()), ReviewQueue(other, options())
        await asyncio.gather(first.refresh(), second.refresh())
    assert (await only(first)).count == 30


async def test_an_entry_that_cannot_be_read_is_put_aside(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    await store.connection.client.xadd(store.keys.turns, {"turn": "bad", "data": '{"v":1}'})
    await talk.say("torn")
    assert await texts(queue) == ["torn"]
    (dead,) = await store.queue.buried()
    assert dead["turn"] == "bad"


async def test_the_queue_drops_what_is_worth_the_least(store: Store, talk: Talk) -> None:
    queue = ReviewQueue(store, options(queue_length=2))
    for share in (0.5, 0.6, 0.55):
        await talk.say(f"share {share}", (("greet", share), ("bye", 1 - share)))
    assert await texts(queue) == ["share 0.5", "share 0.55"]


async def test_the_audit_log_says_who_did_what(queue: ReviewQueue, talk: Talk) -> None:
    await talk.say("torn")
    item = await only(queue)
    await queue.decide(item.id, "ann", Judgement("correct", intent="bye"))
    (line,) = await queue.history()
    assert (line.by, line.action, line.text, line.detail) == ("ann", "correct", "torn", "bye")


async def test_contradictions_are_shown(store: Store, queue: ReviewQueue, talk: Talk) -> None:
    await Feedback(store).correct(None, text="block my card now", intent="bye")
    turn = await talk.say("now block my card", UNSURE)
    await Feedback(store).submit(turn, Said("pay"), Author("a", "signed_in"))
    (conflict,) = (await queue.item((await only(queue)).id)).conflicts
    assert (conflict.source, conflict.intent) == ("correction", "bye")


async def test_forgetting_a_conversation_takes_its_words_off_the_queue(
    store: Store, queue: ReviewQueue, talk: Talk
) -> None:
    await talk.say("my secret", conversation="c")
    await talk.say("torn", conversation="c")
    await talk.say("Torn!", conversation="d")
    await queue.refresh()
    await store.forget("c")
    assert await texts(queue) == ["Torn!"]


def test_variety_comes_before_more_of_the_same() -> None:
    same = [QueueItem(str(i), "a", score=1.0 - i / 1000) for i in range(10)]
    other = QueueItem("x", "b", score=0.95)
    other = replace(other, predicted=replace(other.predicted, intent="other"))
    assert [one.id for one in varied([*same, other])].index("x") < 5
