import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.feedback.correction import Correction
from agent.feedback.records import mask_record
from agent.feedback.service import Feedback
from agent.feedback.submission import Author, Said
from agent.project.types import EntityAnnotation
from agent.storage.corrections import ConflictError
from agent.storage.spool import Spool
from agent.storage.store import Store
from agent.turn import Entity, IntentScore, Message, Turn, Understanding
from agent.turn_record import turn_record
from knowledge.errors import InputError


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    spool = Spool(tmp_path / ".agent" / "spool")
    async with await Store.open("embedded:", tmp_path, spool=spool) as store:
        yield store


@pytest.fixture
def heard() -> list[Correction]:
    return []


@pytest.fixture
def feedback(store: Store, heard: list[Correction]) -> Feedback:
    return Feedback(store, listeners=[heard.append])


def a_turn(text: str = "mail jo@x.com about my card") -> Turn:
    start = text.index("card")
    return Turn(
        id="t1",
        message=Message("m1", "c1", text),
        understanding=Understanding(
            text,
            (IntentScore("greet", 0.4),),
            (Entity("thing", start, start + 4, "card", "card"),),
        ),
        decisions=(),
        replies=(),
        model_version="v1",
        took_ms=1.0,
    )


async def log(store: Store, turn: Turn) -> None:
    await store.commit_turn(mask_record(turn_record(turn)), "c1", [])


def away(store: Store) -> None:
    """Make Redis unreachable for this store until `back`."""
    store.connection.greet = _unreachable


def back(store: Store) -> None:
    store.connection.greet = None
    store.connection._away_until = 0.0


async def _unreachable() -> None:
    raise OSError("no route")


async def test_a_users_correction_waits_for_review(store: Store, feedback: Feedback) -> None:
    done = await feedback.submit(a_turn(), Said("block_card"), Author("u1", "signed_in"))
    assert (done.state, done.source, done.kind) == ("pending", "user", "intent")
    assert await store.corrections("pending") == [done]


async def test_a_reviewers_correction_is_accepted_at_once(
    store: Store, feedback: Feedback, heard: list[Correction]
) -> None:
    done = await feedback.correct(a_turn(), intent="block_card")
    assert (done.state, done.source, done.reviewer) == ("accepted", "ops", "terminal")
    assert await store.corrections("accepted") == [done]
    assert heard == [done]


async def test_what_was_predicted_is_kept_with_it(feedback: Feedback) -> None:
    done = await feedback.correct(a_turn(), intent="block_card")
    assert (done.turn_id, done.conversation_id) == ("t1", "c1")
    assert (done.predicted.intent, done.predicted.model_version) == ("greet", "v1")


async def test_personal_data_is_masked_and_spans_move(feedback: Feedback) -> None:
    text = "mail jo@x.com about my card"
    spans = [EntityAnnotation(23, 27, "thing", None), EntityAnnotation(5, 13, "to", None)]
    done = await feedback.submit(a_turn(text), Said(entities=spans, reason="I am a@b.cd"))
    assert done.text == "mail <EMAIL> about my card"
    assert done.entities is not None
    assert {done.text[e.start : e.end] for e in done.entities} == {"card", "<EMAIL>"}
    assert {e.value for e in done.entities} == {"card", "<EMAIL>"}
    assert done.text[done.predicted.entities[0].start :] == "card"
    assert done.reason == "I am <EMAIL>"


NAMES = frozenset({"person"})


def a_named_turn() -> Turn:
    text = "book a table for Ann Lee at 8"
    spans = (
        Entity("person", 17, 24, "Ann Lee", "Ann Lee", extractor="network"),
        Entity("time", 28, 29, "8", "8"),
    )
    heard = Understanding(text, (IntentScore("greet", 0.4),), spans)
    return Turn("t1", Message("m1", "c1", text), heard, (), (), "v1", 1.0)


@pytest.mark.parametrize("logged", [True, False])
async def test_names_are_masked_where_the_model_found_them(store: Store, logged: bool) -> None:
    await store.commit_turn(mask_record(turn_record(a_named_turn()), labels=NAMES), "c1", [])
    spans = [EntityAnnotation(17, 24, "person", "Ann Lee"), EntityAnnotation(28, 29, "hour", None)]
    done = await Feedback(store, names=NAMES).submit(
        "t1" if logged else a_named_turn(), Said("book", spans), Author("u1", "signed_in")
    )
    assert done.text == "book a table for <NAME> at 8"
    assert [done.text[e.start : e.end] for e in done.entities or ()] == ["<NAME>", "8"]
    assert [e.value for e in done.entities or ()] == ["<NAME>", "8"]
    assert "Ann Lee" not in str(done)


async def test_a_name_that_a_reviewer_writes_beside_its_placeholder_is_masked(
    store: Store,
) -> None:
    await store.commit_turn(mask_record(turn_record(a_named_turn()), labels=NAMES), "c1", [])
    feedback = Feedback(store, names=NAMES)
    spans = [EntityAnnotation(17, 23, "person", "Ann Lee")]
    done = await feedback.correct("t1", entities=spans)
    assert [e.value for e in done.entities or ()] == ["<NAME>"]
    again = await feedback.accept(done.id, entities=spans)
    assert [e.value for e in again.entities or ()] == ["<NAME>"]


async def test_spans_that_overlap_are_refused_also_of_a_logged_turn(
    store: Store, feedback: Feedback
) -> None:
    await log(store, a_turn())
    spans = [EntityAnnotation(14, 22, "a", None), EntityAnnotation(20, 27, "b", None)]
    with pytest.raises(InputError, match="overlaps"):
        await feedback.submit("t1", Said(entities=spans))


async def test_masking_can_be_turned_off(store: Store) -> None:
    done = await Feedback(store, masking=False).correct(a_turn(), intent="x")
    assert done.text == "mail jo@x.com about my card"


async def test_a_reviewers_answer_keeps_the_assistants_own_number(feedback: Feedback) -> None:
    answer = "Call us on +44 20 7946 0958."
    assert (await feedback.correct(a_turn(), answer=answer)).answer == answer
    from_user = await feedback.submit(a_turn(), Said(answer=answer))
    assert from_user.answer == "Call us on <PHONE>."


async def test_a_logged_turn_is_found_by_its_id(store: Store, feedback: Feedback) -> None:
    await log(store, a_turn())
    done = await feedback.correct("t1", intent="block_card")
    assert (done.text, done.predicted.intent) == ("mail <EMAIL> about my card", "greet")


async def test_spans_of_a_logged_turn_count_as_their_author_saw_it(
    store: Store, feedback: Feedback
) -> None:
    await log(store, a_turn())
    by_user = await feedback.submit("t1", Said(entities=[EntityAnnotation(23, 27, "thing", None)]))
    by_reviewer = await feedback.correct("t1", entities=[EntityAnnotation(22, 26, "thing", None)])
    assert by_user.entities == by_reviewer.entities
    assert by_user.entities is not None
    assert by_user.entities[0].value == "card"


async def test_an_unknown_turn_is_a_clear_line(feedback: Feedback) -> None:
    with pytest.raises(InputError, match="turn 'nope' is not in the log"):
        await feedback.submit("nope", Said("x"))


async def test_a_text_without_a_turn_can_be_corrected(feedback: Feedback) -> None:
    done = await feedback.correct(None, text="hello there", intent="greet")
    assert (done.text, done.turn_id, done.state) == ("hello there", None, "accepted")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing is corrected"),
        ({"intent": "/x"}, "cannot be an intent's name"),
        ({"intent": ""}, "intent is empty"),
        ({"entities": [EntityAnnotation(0, 99, "a", None)]}, "the text has 27 characters"),
        ({"answer": "  "}, "answer is empty"),
    ],
)
async def test_what_is_not_sound_is_refused_and_not_stored(
    store: Store, feedback: Feedback, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        await feedback.submit(a_turn(), Said(**fields))
    assert await store.corrections() == []


async def test_thumbs_of_a_reviewer_are_kept(store: Store, feedback: Feedback) -> None:
    done = await feedback.thumbs(a_turn(), up=True)
    assert (done.kind, done.liked, done.state) == ("thumbs", True, "accepted")


async def test_the_same_request_again_gives_the_stored_one(
    store: Store, feedback: Feedback, heard: list[Correction]
) -> None:
    first = await feedback.submit(a_turn(), Said("x"), correction_id="k")
    again = await feedback.submit(a_turn(), Said("other"), correction_id="k")
    assert again == first
    assert heard == [first]


async def test_a_review_accepts_with_changes(store: Store, feedback: Feedback) -> None:
    one = await feedback.submit(a_turn(), Said("x"))
    done = await feedback.accept(one.id, by="bob", intent="y", reason="typo")
    assert (done.state, done.intent, done.reviewer) == ("accepted", "y", "bob")
    assert await store.correction(one.id) == done


async def test_accepting_twice_changes_nothing(feedback: Feedback) -> None:
    one = await feedback.submit(a_turn(), Said("x"))
    first = await feedback.accept(one.id, by="bob")
    assert await feedback.accept(one.id, by="eve") == first


async def test_an_accepted_one_can_be_put_right_again(feedback: Feedback) -> None:
    one = await feedback.correct(a_turn(), intent="x")
    again = await feedback.accept(one.id, by="bob", intent="y")
    assert (again.state, again.intent, again.revision) == ("accepted", "y", 2)


async def test_a_rejection_can_be_undone(feedback: Feedback) -> None:
    one = await feedback.submit(a_turn(), Said("x"))
    await feedback.reject(one.id, reason="no")
    undone = await feedback.move(one.id, "pending")
    assert [change.state for change in undone.history] == ["pending", "rejected", "pending"]


async def test_an_id_may_be_shortened(feedback: Feedback) -> None:
    one = await feedback.submit(a_turn(), Said("x"), correction_id="abc1")
    await feedback.submit(a_turn(), Said("x"), correction_id="abd2")
    assert await feedback.show("abc") == one
    with pytest.raises(InputError, match="2 corrections begin"):
        await feedback.show("ab")
    with pytest.raises(InputError, match="there is no correction ''"):
        await feedback.show("")


async def test_of_two_reviewers_at_once_one_is_told(
    store: Store, feedback: Feedback, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await feedback.submit(a_turn(), Said("x"))
    await feedback.accept(one.id, by="bob")

    async def stale(_: str) -> Correction:
        return one

    monkeypatch.setattr(feedback, "show", stale)
    with pytest.raises(ConflictError):
        await feedback.reject(one.id, by="eve")


async def test_while_redis_is_away_a_correction_waits_on_the_disk(
    store: Store, feedback: Feedback, heard: list[Correction]
) -> None:
    away(store)
    done = await feedback.correct(a_turn(), intent="x")
    assert store.spool is not None
    assert store.spool.size() > 0
    assert heard == [done]
    back(store)
    assert await store.corrections() == [done]
    assert store.spool.size() == 0


async def test_while_redis_is_away_a_logged_turn_is_filled_in_later(
    store: Store, feedback: Feedback
) -> None:
    await log(store, a_turn())
    away(store)
    await feedback.submit("t1", Said("x"), correction_id="k")
    back(store)
    (stored,) = await store.corrections()
    assert (stored.id, stored.text) == ("k", "mail <EMAIL> about my card")


async def test_a_turn_that_waits_itself_can_be_corrected(store: Store, feedback: Feedback) -> None:
    assert store.spool is not None
    away(store)
    await store.spool.add_turn(mask_record(turn_record(a_turn())), "c1", [])
    done = await feedback.submit("t1", Said("x"))
    assert done.text == "mail <EMAIL> about my card"
    back(store)
    assert await store.corrections() == [done]


async def test_a_listener_that_fails_does_not_undo_what_is_durable(store: Store) -> None:
    def fail(_: Correction) -> None:
        raise InputError("memory is full")

    done = await Feedback(store, listeners=[fail]).correct(a_turn(), intent="x")
    assert await store.corrections() == [done]


async def test_an_acknowledged_correction_survives_the_servers_death(
    store: Store, feedback: Feedback
) -> None:
    done = await feedback.correct(a_turn(), intent="x")
    assert store.connection.server is not None
    os.kill(store.connection.server.pid or 0, signal.SIGKILL)
    assert await store.corrections("accepted") == [done]
