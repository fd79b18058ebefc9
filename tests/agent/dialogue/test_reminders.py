from datetime import UTC, datetime
from typing import Any

import pytest

from agent.dialogue import Tracker
from agent.dialogue.events import Event, ReminderCancelled, ReminderScheduled, UserUttered
from agent.dialogue.reminders import EXTERNAL, REMINDER, first_due, pending, reminder_message
from tests.agent.dialogue.talk import domain, says

NOON = "2026-11-24T12:00:00+00:00"
ONE = "2026-11-24T13:00:00+00:00"


def reminder(name: str | None, at: str = NOON, **more: Any) -> ReminderScheduled:
    return ReminderScheduled(timestamp=1.0, intent="wake", name=name, date_time=at, **more)


def fired(name: str) -> UserUttered:
    return UserUttered(text="EXTERNAL: /wake", metadata={EXTERNAL: True, REMINDER: name})


def standing(*events: Event) -> list[str]:
    return [one.key for one in pending(events)]


def test_reminders_stand_in_the_order_in_which_they_are_due() -> None:
    assert standing(reminder("b", ONE), reminder("a")) == ["a", "b"]
    assert standing() == []


def test_a_time_without_an_offset_is_local_time() -> None:
    (one,) = pending([reminder("a", "2026-11-24T12:00:00")])
    assert one.due == datetime(2026, 11, 24, 12).astimezone(UTC)


def test_one_of_the_same_name_takes_the_place_of_the_one_before() -> None:
    (one,) = pending([reminder("a"), reminder("a", ONE)])
    assert one.due == datetime(2026, 11, 24, 13, tzinfo=UTC)


def test_reminders_without_a_name_stand_side_by_side() -> None:
    first = reminder(None)
    second = ReminderScheduled(timestamp=2.0, intent="wake", date_time=ONE)
    assert len(standing(first, second)) == 2


def test_a_users_message_kills_those_that_want_it() -> None:
    assert standing(reminder("a"), reminder("b", kill_on_user_msg=False), says("greet")) == ["b"]


def test_one_that_was_sent_stands_no_longer_and_kills_no_other() -> None:
    assert standing(reminder("a"), reminder("b"), fired("a")) == ["b"]


@pytest.mark.parametrize(
    ("cancel", "left"),
    [
        ({}, []),
        ({"name": "a"}, ["b"]),
        ({"intent": "wake"}, []),
        ({"intent": "sleep"}, ["a", "b"]),
        ({"entities": [{"entity": "city", "value": "Rome"}]}, ["a"]),
        ({"entities": {"city": "Rome"}, "name": "a"}, ["a", "b"]),
    ],
)
def test_a_cancellation_drops_what_all_its_parts_fit(
    cancel: dict[str, Any], left: list[str]
) -> None:
    both = (reminder("a"), reminder("b", entities={"city": "Rome"}))
    assert standing(*both, ReminderCancelled(**cancel)) == left


@pytest.mark.parametrize("at", ["", "tomorrow", "12:00", None, 7])
def test_a_reminder_without_a_readable_time_is_left_out(at: Any) -> None:
    assert standing(reminder("a", at)) == []
    assert first_due([reminder("a", at)]) is None


def test_the_first_that_is_due_is_told_from_new_events() -> None:
    assert first_due([reminder("b", ONE), says("greet"), reminder("a")]) == datetime(
        2026, 11, 24, 12, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("entities", "text"),
    [
        (None, "EXTERNAL: /wake"),
        ({"city": "Rome"}, 'EXTERNAL: /wake{"city": "Rome"}'),
        ([{"entity": "city", "value": "東京"}], 'EXTERNAL: /wake{"city": "東京"}'),
        (["city"], 'EXTERNAL: /wake{"city": null}'),
    ],
)
def test_its_message_carries_intent_and_entities(entities: Any, text: str) -> None:
    (one,) = pending([reminder("a", entities=entities)])
    message = reminder_message(one, Tracker("c", domain(), [says("greet")]))
    assert (message.text, message.conversation_id, message.channel) == (text, "c", "test")
    assert message.metadata == {EXTERNAL: True, REMINDER: "a"}
