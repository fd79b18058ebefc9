"""What every Redis must do for us: run on the embedded server and on a real one."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import StoreError
from agent.feedback.correction import Correction
from agent.storage.corrections import ConflictError
from agent.storage.keys import Lifetimes
from agent.storage.lock import LockLostError
from agent.storage.store import Store
from agent.turn import now
from tests.contracts.conftest import Opener


def turn(turn_id: str = "t1", text: str = "hello") -> dict[str, Any]:
    return {"id": turn_id, "message": {"text": text, "conversation_id": "c"}}


def event(text: str) -> dict[str, Any]:
    return {"event": "user", "text": text}


def correction(**fields: Any) -> Correction:
    given_fields = {"text": "hi there", "kind": "intent", "author": "ann", "intent": "greet"}
    return Correction(**{**given_fields, **fields})


class TestTurns:
    async def test_an_unknown_conversation_has_no_events(self, store: Store) -> None:
        assert await store.load_events("nobody") == []

    async def test_a_turn_is_logged_with_its_events(self, store: Store) -> None:
        assert await store.commit_turn(turn(), "c", [event("a"), event("b")])
        assert await store.load_events("c") == [event("a"), event("b")]
        logged = await store.turn("t1")
        assert logged is not None
        assert logged["message"] == turn()["message"]

    async def test_the_same_turn_again_changes_nothing(self, store: Store) -> None:
        await store.commit_turn(turn(), "c", [event("a")])
        assert not await store.commit_turn(turn(), "c", [event("a")])
        assert len(await store.load_events("c")) == 1
        assert (await store.counters())["turns"] == 1

    async def test_a_conversations_latest_turns_are_read_in_order(self, store: Store) -> None:
        for name, conversation in (("a", "c"), ("b", "other"), ("d", "c"), ("e", "c")):
            await store.commit_turn(turn(name), conversation, [])
        assert [one["id"] for one in await store.turns_of("c", limit=2)] == ["d", "e"]
        assert await store.turns_of("nobody") == []

    async def test_turns_are_listed_newest_first_and_paged_both_ways(self, store: Store) -> None:
        for number in range(5):
            await store.commit_turn(turn(f"t{number}"), "c", [])
        newest = await store.turns(limit=2)
        assert [t["id"] for t in newest] == ["t4", "t3"]
        older = await store.turns(limit=2, after=newest[-1]["position"])
        assert [t["id"] for t in older] == ["t2", "t1"]
        forward = await store.turns(limit=9, newest=False, after=older[-1]["position"])
        assert [t["id"] for t in forward] == ["t2", "t3", "t4"]
        assert await store.turn_count() == 5

    async def test_counters_add_up(self, store: Store) -> None:
        await store.commit_turn(turn("a"), "c", [], counters={"intent:greet": 1})
        await store.commit_turn(turn("b"), "c", [], counters={"intent:greet": 2})
        await store.count("thumbs", 3)
        assert await store.counters() == {"turns": 2, "intent:greet": 3, "thumbs": 3}

    async def test_conversations_are_listed_by_last_activity(self, store: Store) -> None:
        for name in ("a", "b", "a"):
            await store.commit_turn(turn(uuid4().hex), name, [event("x")])
            await asyncio.sleep(0.002)
        assert [name for name, _ in await store.conversations()] == ["a", "b"]

    async def test_events_can_be_appended_and_replaced_outside_a_turn(self, store: Store) -> None:
        await store.append_events("c", [event("a")])
        await store.append_events("c", [event("b")])
        assert await store.load_events("c") == [event("a"), event("b")]
        await store.append_events("c", [event("z")], replace=True)
        assert await store.load_events("c") == [event("z")]

    async def test_lifetimes_are_set(self, opener: Opener) -> None:
        lifetimes = Lifetimes(events_s=100, turns_s=200)
        store = await opener(lifetimes=lifetimes)
        await store.commit_turn(turn(), "c", [event("a")])
        client, keys = store.connection.client, store.keys
        assert 90 < await client.ttl(keys.events("c")) <= 100
        assert 190 < await client.ttl(keys.turn("t1")) <= 200
        assert await client.ttl(keys.conversation_turns("c")) > 0
        assert await client.ttl(keys.counters(now().date().isoformat())) > 0

    async def test_zero_keeps_for_ever(self, opener: Opener) -> None:
        store = await opener(lifetimes=Lifetimes(events_s=0, turns_s=0, turns_length=0))
        await store.commit_turn(turn(), "c", [event("a")])
        assert await store.connection.client.ttl(store.keys.events("c")) == -1
        assert await store.connection.client.ttl(store.keys.turn("t1")) == -1

    async def test_the_turn_log_is_bounded(self, opener: Opener) -> None:
        store = await opener(lifetimes=Lifetimes(turns_length=100))
        for number in range(400):
            await store.commit_turn(turn(f"t{number}"), "c", [])
        assert 100 <= await store.turn_count() < 300
        assert await store.turn("t399") is not None
        assert await store.turn("t0") is None

    async def test_old_turns_are_trimmed(self, opener: Opener) -> None:
        store = await opener(lifetimes=Lifetimes(turns_s=1))
        await store.commit_turn(turn(), "c", [])
        await asyncio.sleep(1.1)
        await store.commit_turn(turn("t2"), "c", [])
        await store.trim()
        assert [t["id"] for t in await store.turns()] == ["t2"]

    @pytest.mark.parametrize(
        "name",
        [
            "",
            " ",
            "a b",
            "{x}",
            "naïve",
            "对话",
            "🙂" * 3,
            "x" * 100_000,
            "\ud83d",
            "a\r\nSET x y",
            "*",
        ],
    )
    async def test_any_text_is_a_conversation_id(self, store: Store, name: str) -> None:
        async with store.lock(name) as lease:
            await store.commit_turn(turn(text=name), name, [event(name)], fence=lease.fence)
        assert await store.load_events(name) == [event(name)]
        assert await store.load_events(name + "x") == []
        assert (await store.forget(name)).events == 1

    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        value=st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        )
    )
    def test_any_json_comes_back_as_it_was(self, value: Any) -> None:
        from agent.storage.codec import decode, encode

        assert decode(encode({"value": value}), "it") == {"value": value}


class TestLock:
    async def test_two_processes_never_hold_one_conversation(self, opener: Opener) -> None:
        stores = [await opener() for _ in range(4)]
        inside, most = 0, 0
        order: list[int] = []

        async def handle(store: Store, number: int) -> None:
            nonlocal inside, most
            async with store.lock("c") as lease:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.002)
                order.append(lease.fence or 0)
                inside -= 1

        await asyncio.gather(*(handle(stores[n % 4], n) for n in range(24)))
        assert most == 1
        assert order == sorted(order)
        assert len(set(order)) == 24

    async def test_messages_of_one_process_run_in_the_order_of_arrival(self, store: Store) -> None:
        order: list[int] = []

        async def handle(number: int) -> None:
            async with store.lock("c"):
                order.append(number)

        await asyncio.gather(*(handle(n) for n in range(10)))
        assert order == list(range(10))

    async def test_different_conversations_do_not_wait_for_each_other(self, store: Store) -> None:
        async with store.lock("a"), asyncio.timeout(1), store.lock("b"):
            pass

    async def test_a_lock_of_a_killed_process_runs_out(self, opener: Opener) -> None:
        store = await opener(lifetimes=Lifetimes(lease_s=0.3))
        await store.connection.client.set(store.keys.lock("c"), "of the dead", px=300)
        async with asyncio.timeout(2), store.lock("c") as lease:
            assert lease.fence is not None

    async def test_a_held_lock_is_renewed(self, opener: Opener) -> None:
        first = await opener(lifetimes=Lifetimes(lease_s=0.3))
        second = await opener()
        async with first.lock("c") as lease:
            await asyncio.sleep(0.6)
            assert not lease.lost
            with pytest.raises(StoreError, match="still busy"):
                async with second.lock("c", wait_s=0.05):
                    pass

    async def test_waiting_too_long_is_a_clear_line(self, store: Store) -> None:
        async with store.lock("c"):
            with pytest.raises(StoreError, match="busy with another message"):
                async with store.lock("c", wait_s=0.05):
                    pass

    async def test_a_late_writer_is_refused(self, opener: Opener) -> None:
        first, second = await opener(lifetimes=Lifetimes(lease_s=0.2)), await opener()
        async with first.lock("c") as stale:
            # The first process stands still for longer than its lease.
            await first.connection.client.delete(first.keys.lock("c"))
            async with second.lock("c") as fresh:
                await second.commit_turn(turn("new"), "c", [event("new")], fence=fresh.fence)
            with pytest.raises(LockLostError):
                await first.commit_turn(turn("old"), "c", [event("old")], fence=stale.fence)
            with pytest.raises(LockLostError):
                await first.append_events("c", [event("old")], fence=stale.fence)
        assert await second.load_events("c") == [event("new")]
        assert await second.turn("old") is None

    async def test_a_loser_does_not_release_the_winners_lock(self, opener: Opener) -> None:
        first, second = await opener(), await opener()
        held = first.lock("c")
        await held.__aenter__()
        await first.connection.client.delete(first.keys.lock("c"))
        async with second.lock("c"):
            await held.__aexit__(None, None, None)
            assert await second.connection.client.exists(second.keys.lock("c"))


class TestCorrections:
    async def test_a_correction_comes_back_as_it_was(self, store: Store) -> None:
        one = correction(answer="good day", conversation_id="c")
        assert await store.add_correction(one)
        assert await store.correction(one.id) == one
        assert await store.corrections("pending") == [one]

    async def test_the_same_correction_again_changes_nothing(self, store: Store) -> None:
        one = correction()
        assert await store.add_correction(one)
        assert not await store.add_correction(one)
        assert not await store.add_correction(replace(one, intent="other"))
        assert await store.correction(one.id) == one
        assert (await store.counters())["corrections_pending"] == 1

    async def test_a_state_change_moves_it_between_the_sets(self, store: Store) -> None:
        one = correction()
        await store.add_correction(one)
        accepted = one.moved("accepted", "bob")
        assert await store.set_correction_state(accepted, expected_revision=1)
        assert await store.corrections("pending") == []
        assert await store.corrections("accepted") == [accepted]
        assert await store.correction_counts() == {"pending": 0, "accepted": 1, "rejected": 0}

    async def test_the_same_change_again_counts_once(self, store: Store) -> None:
        one = correction()
        await store.add_correction(one)
        accepted = one.moved("accepted", "bob")
        assert await store.set_correction_state(accepted, expected_revision=1)
        assert not await store.set_correction_state(accepted, expected_revision=1)
        assert (await store.counters())["corrections_accepted"] == 1

    async def test_of_two_reviewers_one_wins_and_the_other_is_told(self, store: Store) -> None:
        one = correction()
        await store.add_correction(one)
        await store.set_correction_state(one.moved("accepted", "bob"), expected_revision=1)
        with pytest.raises(ConflictError, match="somebody else"):
            await store.set_correction_state(one.moved("rejected", "eve"), expected_revision=1)

    async def test_changing_an_unknown_one_is_refused(self, store: Store) -> None:
        with pytest.raises(ConflictError, match="no correction"):
            await store.set_correction_state(
                correction().moved("accepted", "bob"), expected_revision=1
            )

    async def test_listing_is_in_order_and_bounded(self, store: Store) -> None:
        begun = now()
        for number in range(120):
            moment = begun + timedelta(seconds=number)
            await store.add_correction(correction(id=f"n{number}", created_at=moment))
        everything = await store.corrections()
        assert [c.id for c in everything] == [f"n{n}" for n in range(120)]
        page = await store.corrections("pending", offset=10, limit=2)
        assert [c.id for c in page] == ["n10", "n11"]
        newest = await store.corrections(limit=2, newest=True)
        assert [c.id for c in newest] == ["n119", "n118"]

    async def test_another_process_hears_of_each_change(self, opener: Opener) -> None:
        writer, reader = await opener(), await opener()
        before = correction()
        await writer.add_correction(before)
        position = await reader.corrections_position()
        one = correction()
        await writer.add_correction(one)
        await writer.set_correction_state(one.moved("accepted", "bob"), expected_revision=1)
        heard = await reader.correction_changes(position)
        assert [(c.correction_id, c.state) for c in heard] == [
            (one.id, "pending"),
            (one.id, "accepted"),
        ]

    async def test_changes_carry_the_present_correction(self, store: Store) -> None:
        one = correction()
        await store.add_correction(one)
        (change,) = await store.correction_changes("0-0")
        assert change.correction == one
        assert await store.correction_changes(change.position) == []


class TestModels:
    async def test_every_process_hears_an_announcement(self, opener: Opener) -> None:
        writer, reader = await opener(), await opener()
        await writer.announce({"model": "old", "action": "promoted"})
        await writer.announce({"model": "new", "action": "promoted"})
        heard = await reader.announcements()
        assert [(e["model"], e["action"]) for e in heard] == [
            ("new", "promoted"),
            ("old", "promoted"),
        ]

    async def test_a_mark_is_given_once(self, opener: Opener) -> None:
        stores = [await opener() for _ in range(3)]
        given_marks = await asyncio.gather(*(s.once("learned c1") for s in stores * 5))
        assert sum(given_marks) == 1


class TestForget:
    async def test_nothing_of_a_person_stays(self, store: Store) -> None:
        for name in ("c", "other"):
            await store.commit_turn(turn(f"t-{name}", f"secret of {name}"), name, [event(name)])
            await store.add_correction(correction(id=f"k-{name}", conversation_id=name))
        forgotten = await store.forget("c")
        assert (forgotten.turns, forgotten.events, forgotten.corrections) == (1, 1, ("k-c",))
        assert await store.load_events("c") == []
        assert await store.turn("t-c") is None
        assert await store.correction("k-c") is None
        assert [c.id for c in await store.corrections()] == ["k-other"]
        assert [t["id"] for t in await store.turns()] == ["t-other"]
        assert [name for name, _ in await store.conversations()] == ["other"]
        assert await everything_with(store, "secret of c") == []
        assert await everything_with(store, "secret of other") != []

    async def test_memories_hear_that_a_correction_is_gone(self, store: Store) -> None:
        await store.add_correction(correction(id="k", conversation_id="c"))
        await store.forget("c")
        gone = (await store.correction_changes("0-0"))[-1]
        assert (gone.correction_id, gone.state, gone.correction) == ("k", "deleted", None)

    async def test_what_was_said_before_does_not_come_back_from_a_spool(self, store: Store) -> None:
        said = now()
        await store.forget("c")
        assert not await store.commit_turn(turn("late"), "c", [event("late")], at=said)
        assert not await store.add_correction(correction(conversation_id="c", created_at=said))
        assert await store.load_events("c") == []

    async def test_the_person_can_talk_again_afterwards(self, store: Store) -> None:
        await store.commit_turn(turn("a"), "c", [event("a")])
        await store.forget("c")
        assert await store.commit_turn(turn("b"), "c", [event("b")])
        assert await store.load_events("c") == [event("b")]

    async def test_a_process_that_keeps_the_conversation_sees_another_fence(
        self, store: Store
    ) -> None:
        async with store.lock("c") as before:
            pass
        await store.forget("c")
        async with store.lock("c") as after:
            assert before.fence is not None
            assert after.fence == before.fence + 2


class TestSchema:
    async def test_a_newer_schema_is_refused(self, opener: Opener) -> None:
        store = await opener()
        await store.connection.client.set(store.keys.schema, "2")
        with pytest.raises(StoreError, match="schema 2, this version knows up to 1"):
            await opener()

    async def test_a_newer_record_is_refused(self, store: Store) -> None:
        await store.connection.client.rpush(store.keys.events("c"), '{"v":2,"events":[]}')
        with pytest.raises(StoreError, match="update intent-agent"):
            await store.load_events("c")

    async def test_projects_on_one_redis_do_not_meet(self, opener: Opener) -> None:
        first, second = await opener(project_id="a"), await opener(project_id="{b}")
        await first.commit_turn(turn(), "c", [event("a")])
        assert await second.load_events("c") == []
        assert await second.turn("t1") is None

    async def test_all_keys_of_a_project_stand_in_one_slot(self, store: Store) -> None:
        await store.commit_turn(turn(), "c", [event("a")])
        await store.add_correction(correction(conversation_id="c"))
        async with store.lock("a b"):
            names = [
                name
                async for name in store.connection.client.scan_iter(match=f"{store.keys.prefix}:*")
            ]
        tags = {name[name.index("{") + 1 : name.index("}")] for name in names}
        assert len(names) > 8
        assert len(tags) == 1


async def everything_with(store: Store, text: str) -> list[str]:
    """The keys whose values hold a text, whatever their type."""
    client, found = store.connection.client, []
    commands = {
        "string": ("GET",),
        "list": ("LRANGE", 0, -1),
        "hash": ("HGETALL",),
        "stream": ("XRANGE", "-", "+"),
        "zset": ("ZRANGE", 0, -1),
        "set": ("SMEMBERS",),
    }
    async for name in client.scan_iter(match=f"{store.keys.prefix}:*"):
        command, *rest = commands[await client.type(name)]
        if text in str(await client.execute_command(command, name, *rest)):
            found.append(name)
    return found
