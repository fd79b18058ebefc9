import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.dialogue.events import ConversationPaused, Event, ReminderCancelled, ReminderScheduled
from agent.reminders import Reminders
from agent.turn import Turn, now
from tests.agent.scripted import Scripted, scripted_assistant

SCRIPT = {"EXTERNAL: /balance": "balance", "EXTERNAL: /goodbye": "goodbye"}


def in_seconds(seconds: float, name: str = "a", **more: Any) -> ReminderScheduled:
    due = (now() + timedelta(seconds=seconds)).isoformat()
    return ReminderScheduled(intent="balance", date_time=due, name=name, **more)


async def happens(assistant: Scripted, *events: Event, conversation: str = "c1") -> None:
    domain = (await assistant.manager.brains.current()).domain
    if not await assistant.store.load_events(conversation):
        await assistant.say("hello", conversation)
    async with assistant.manager.conversations.open(conversation, domain) as held:
        held.tracker.extend(events)
        await held.save()


async def due(assistant: Scripted, **more: Any) -> list[str | None]:
    """What the reminders that are due now say."""
    said: list[str | None] = []

    async def deliver(turn: Turn) -> None:
        said.extend(reply.text for reply in turn.replies)

    await Reminders(assistant.manager, assistant.store).send_due(deliver, **more)
    return said


async def test_a_due_reminder_is_sent_once_and_its_turn_is_logged(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await happens(assistant, in_seconds(-1))
        assert await due(assistant) == ["balance!"]
        assert await due(assistant) == []
        texts = [e["text"] for e in await assistant.store.load_events("c1") if e["event"] == "user"]
        assert texts == ["hello", "EXTERNAL: balance"]
        (turn, *_) = await assistant.store.turns()
    assert turn["message"]["metadata"]["is_external"] is True


async def test_one_that_is_not_due_waits_and_an_earlier_one_is_not_overtaken(
    tmp_path: Path,
) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await happens(assistant, in_seconds(-1), in_seconds(3600, "later"))
        assert await due(assistant) == ["balance!"]
        assert await due(assistant) == []
        in_an_hour = now() + timedelta(hours=2)
        assert await assistant.store.reminders.due(in_an_hour) == ["c1"]


async def test_reminders_survive_a_restart(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as first:
        prefix = first.store.keys.prefix
        await happens(first, in_seconds(-1))
    async with scripted_assistant(tmp_path, SCRIPT, prefix=prefix) as second:
        assert await due(second) == ["balance!"]


async def test_two_processes_send_it_once(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as one:
        prefix = one.store.keys.prefix
        async with scripted_assistant(tmp_path, SCRIPT, prefix=prefix) as two:
            for n in range(5):
                await happens(one, in_seconds(-1), conversation=f"c{n}")
            said = await asyncio.gather(*(due(one if n % 2 else two) for n in range(4)))
    assert [text for texts in said for text in texts] == ["balance!"] * 5


@pytest.mark.parametrize(
    "after", [ReminderCancelled(name="a"), ReminderCancelled(intent="balance"), ReminderCancelled()]
)
async def test_a_cancelled_reminder_is_not_sent(tmp_path: Path, after: Event) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await happens(assistant, in_seconds(-1), after)
        assert await due(assistant) == []


async def test_a_message_of_the_user_kills_it(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await happens(assistant, in_seconds(-1), in_seconds(-1, "b", kill_on_user_msg=False))
        await assistant.say("hello")
        assert await due(assistant) == ["balance!"]


async def test_a_paused_conversation_hears_it_in_silence(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await happens(assistant, in_seconds(-1), ConversationPaused())
        assert await due(assistant) == []
        assert await due(assistant) == []
        assert [e["event"] for e in await assistant.store.load_events("c1")][-1] == "user"


async def test_one_conversation_can_be_looked_after_alone(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        for name in ("c1", "c2"):
            await happens(assistant, in_seconds(-1), conversation=name)
        assert await due(assistant, only="c2") == ["balance!"]
        assert await due(assistant, only="c3") == []
        assert await assistant.store.reminders.due(now()) == ["c1"]


async def test_a_delivery_that_fails_loses_no_other(tmp_path: Path) -> None:
    said: list[str] = []

    async def deliver(turn: Turn) -> None:
        said.append(turn.message.conversation_id)
        raise RuntimeError("the channel is gone")

    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        for name in ("c1", "c2"):
            await happens(assistant, in_seconds(-1), conversation=name)
        await Reminders(assistant.manager, assistant.store).send_due(deliver)
    assert sorted(said) == ["c1", "c2"]


async def test_a_conversation_that_fails_is_tried_again_later(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await happens(assistant, in_seconds(-1))
        brain = await assistant.manager.brains.current()
        policies = brain.policies
        object.__setattr__(brain, "policies", None)
        assert await due(assistant) == []
        object.__setattr__(brain, "policies", policies)
        assert await assistant.store.reminders.due(now()) == []
        await assistant.store.reminders.put("c1", now())
        assert await due(assistant) == ["balance!"]


async def test_forgetting_a_conversation_forgets_its_reminders(tmp_path: Path) -> None:
    async with scripted_assistant(tmp_path, SCRIPT) as assistant:
        await happens(assistant, in_seconds(-1))
        await assistant.store.forget("c1")
        assert await assistant.store.reminders.due(now()) == []
