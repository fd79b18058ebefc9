"""What comes before the reviewers, in which order and why."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.feedback.folding import Opinion
from agent.feedback.queue import ReviewQueue, varied
from agent.feedback.queue_item import Judgement, QueueItem
from agent.feedback.service import Feedback
from agent.feedback.signals import Signal
from agent.feedback.submission import Author, Said
from agent.storage.store import Store
from agent.turn import now
from knowledge.passage import Passage, ScoredPassage
from tests.agent.feedback.conftest import SURE, UNSURE, Talk, only, options, texts


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
