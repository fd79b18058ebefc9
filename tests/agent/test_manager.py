import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from agent.brain import Brain
from agent.dialogue import Policies, compile_policies
from agent.dialogue.events import ConversationPaused
from agent.dialogue.tracker import Tracker
from agent.errors import ModelError
from agent.feedback.correction import Correction
from agent.storage.counters import counters_of
from agent.turn import Decision, Message, Turn, Understanding, new_id
from knowledge.passage import Passage, ScoredPassage
from tests.agent.scripted import (
    point_to,
    project,
    scripted_assistant,
    scripted_brain,
    with_decider,
)

SCRIPT = {"bye": "goodbye", "how much have I": "balance"}


def accepted(text: str, *, intent: str | None = None, answer: str | None = None) -> Correction:
    kind = "intent" if intent else "answer"
    return Correction(text, kind, "ops", intent=intent, answer=answer, state="accepted")  # type: ignore[arg-type]


async def test_a_message_is_answered_and_its_turn_logged_whole(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        turn = await assistant.manager.handle(Message(new_id(), "c1", "bye"))
        assert [reply.text for reply in turn.replies] == ["goodbye!"]
        record = await assistant.store.turn(turn.id)
    assert record is not None
    assert record["message"]["text"] == "bye"
    assert record["understanding"]["intent"]["name"] == "goodbye"
    assert [d["action"] for d in record["decisions"]] == ["utter_goodbye", "action_listen"]
    assert record["model_version"] == "m1"
    assert record["took_ms"] > 0
    assert set(record["stages_ms"]) == {"understand", "decide", "act"}


async def test_an_answer_is_logged_without_what_it_repeats_of_personal_data(
    tmp_path: Path,
) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await assistant.say("write to goodbye@example.com")
        turn = await assistant.manager.handle(Message(new_id(), "c1", "bye"))
        record = await assistant.store.turn(turn.id)
    assert [reply.text for reply in turn.replies] == ["goodbye!"]
    assert record is not None
    assert [reply["text"] for reply in record["replies"]] == ["<EMAIL>!"]


def test_a_day_counts_as_fallbacks_what_nothing_answered() -> None:
    message, heard = Message("m", "c", "fee?"), Understanding("fee?")
    fell_back = (Decision("action_default_fallback", ""),)
    found = (ScoredPassage(Passage("p", "d", "Fees", "Eight.", 0, 6), 0.9),)
    turn = Turn("t", message, heard, fell_back, (), "m1", 1.0)
    assert counters_of(turn)["fallback"] == 1
    assert "fallback" not in counters_of(replace(turn, passages=found))


async def test_the_conversation_goes_on_in_another_process(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await assistant.say("hello")
        await assistant.say("bye")
        events = await assistant.store.load_events("c1")
    kept = [e.get("text") for e in events if e["event"] in ("user", "bot")]
    assert kept == ["hello", "greet!", "bye", "goodbye!"]
    assert [e["event"] for e in events].count("session_started") == 1


async def test_a_session_begins_with_the_metadata_of_its_first_message(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        for text in ("hello", "bye"):
            message = Message(new_id(), "c1", text, metadata={"page": f"/{text}"})
            await assistant.manager.handle(message)
        events = await assistant.store.load_events("c1")
    told = [e["value"] for e in events if e.get("name") == "session_started_metadata"]
    # Before the session starts, for a session start of the project's own, and carried over.
    assert told == [{"page": "/hello"}] * 2
    assert Tracker.from_events("c1", project(tmp_path).domain, events).slot(
        "session_started_metadata"
    ) == {"page": "/hello"}


async def test_a_very_long_message_is_cut_and_the_turn_says_so(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        turn = await assistant.manager.handle(Message(new_id(), "c1", "x" * 100_000))
    assert len(turn.message.text) == 4000
    assert turn.message.metadata["truncated_from_chars"] == 100_000


@pytest.mark.parametrize(
    "text", ["", "   ", "😀😀", "余额是多少", "كم رصيدي", "\x00\x1b[31m", "\ud800"]
)
async def test_any_text_gets_an_answer(tmp_path: Path, text: str) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        assert await assistant.say(text) == ["greet!"]


async def test_an_accepted_correction_counts_on_the_very_next_turn(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        assert await assistant.say("any money left?") == ["greet!"]
        await assistant.store.add_correction(accepted("any money left?", intent="balance"))
        assert await assistant.say("Any money left") == ["balance!"]
        assert await assistant.say("is any money left?") == ["balance!"]
        assert await assistant.say("bye") == ["goodbye!"]


async def test_a_correction_that_is_taken_back_counts_no_longer(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        correction = accepted("bye", intent="balance")
        await assistant.store.add_correction(correction)
        assert await assistant.say("bye") == ["balance!"]
        undone = correction.moved("pending", "ops")
        await assistant.store.set_correction_state(undone, expected_revision=1)
        assert await assistant.say("bye") == ["goodbye!"]


async def test_a_corrected_answer_is_said_and_the_dialogue_stands_where_it_stood(
    tmp_path: Path,
) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await assistant.say("hello")
        await assistant.store.add_correction(accepted("who made you", answer="Four people."))
        turn = await assistant.manager.handle(Message(new_id(), "c1", "who made you"))
        assert [reply.text for reply in turn.replies] == ["Four people."]
        assert [d.policy for d in turn.decisions] == ["CorrectionMemory", "CorrectionMemory"]
        assert await assistant.say("bye") == ["goodbye!"]


async def test_a_promoted_model_serves_from_the_next_turn_and_keeps_the_corrections(
    tmp_path: Path,
) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await assistant.store.add_correction(accepted("hm", intent="balance"))
        await assistant.say("hello")
        point_to(tmp_path, "m2")
        turn = await assistant.manager.handle(Message(new_id(), "c1", "hm"))
    assert turn.model_version == "m2"
    assert [reply.text for reply in turn.replies] == ["balance!"]


async def test_turns_go_on_with_the_model_before_while_another_one_is_loaded(
    tmp_path: Path,
) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await assistant.say("hello")
        begun, may_end = threading.Event(), threading.Event()

        def load_slowly() -> Brain:
            begun.set()
            assert may_end.wait(10)
            return scripted_brain(tmp_path, SCRIPT, "m2")

        assistant.brains.load = load_slowly
        point_to(tmp_path, "m2")
        first = asyncio.create_task(assistant.manager.handle(Message(new_id(), "c1", "bye")))
        assert await asyncio.to_thread(begun.wait, 10)
        await assistant.store.add_correction(accepted("hm", intent="balance"))
        other = await assistant.manager.handle(Message(new_id(), "c2", "hm"))
        may_end.set()
        assert (await first).model_version == "m2"
        after = await assistant.manager.handle(Message(new_id(), "c2", "hm"))
    assert (other.model_version, after.model_version) == ("m1", "m2")
    assert [reply.text for reply in other.replies] == ["balance!"]
    assert [reply.text for reply in after.replies] == ["balance!"]


async def test_a_broken_new_model_is_not_taken_and_the_old_one_serves_on(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await assistant.say("hello")

        def refuse() -> None:
            raise ModelError("truncated")

        assistant.brains.load = refuse  # type: ignore[assignment]
        point_to(tmp_path, "m2")
        turn = await assistant.manager.handle(Message(new_id(), "c1", "bye"))
    assert turn.model_version == "m1"
    assert [reply.text for reply in turn.replies] == ["goodbye!"]


async def test_a_dialogue_that_never_listens_is_cut_off(tmp_path: Path) -> None:
    class Restless:
        def decide(self, _: Tracker) -> Decision:
            return Decision("utter_greet", "restless")

    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        brain = with_decider(scripted_brain(tmp_path, SCRIPT), Restless())
        assistant.brains.load = lambda: brain
        assert await assistant.say("hello") == ["greet!"] * 10


async def test_a_fallback_that_is_a_response_is_said_once_and_the_talk_goes_on(
    tmp_path: Path,
) -> None:
    made = project(tmp_path)
    lost = replace(made.config.policies, core_fallback_action="utter_goodbye")
    policies = Policies(made.domain, lost, compile_policies(made))
    async with scripted_assistant(tmp_path, {"hm": "shrug"}) as assistant:
        brain = with_decider(scripted_brain(tmp_path, {"hm": "shrug"}), policies)
        assistant.brains.load = lambda: brain
        assert [await assistant.say(text) for text in ("hm", "hm", "hello")] == [
            ["goodbye!"],
            ["goodbye!"],
            ["greet!"],
        ]


async def test_messages_of_one_conversation_wait_for_each_other(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        said = await asyncio.gather(*(assistant.say(f"message {i}") for i in range(20)))
        events = await assistant.store.load_events("c1")
    assert said == [["greet!"]] * 20
    order = [e["event"] for e in events if e["event"] in ("user", "bot")]
    assert order == ["user", "bot"] * 20


async def test_a_turn_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    class Failing:
        def decide(self, _: Tracker) -> Decision:
            raise ModelError("broken policy")

    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await assistant.say("hello")
        good = assistant.brains.loaded
        assistant.brains._brain = with_decider(good, Failing())
        with pytest.raises(ModelError):
            await assistant.say("lost")
        assistant.brains._brain = good
        assert await assistant.say("bye") == ["goodbye!"]
        events = await assistant.store.load_events("c1")
    assert [e["text"] for e in events if e["event"] == "user"] == ["hello", "bye"]


async def test_a_paused_assistant_hears_and_says_nothing(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await assistant.say("hello")
        async with assistant.store.lock("c1") as lease:
            pause = ConversationPaused().to_dict()
            await assistant.store.append_events("c1", [pause], fence=lease.fence)
        assert await assistant.say("bye") == []
        events = await assistant.store.load_events("c1")
    assert [e["text"] for e in events if e["event"] == "user"] == ["hello", "bye"]
