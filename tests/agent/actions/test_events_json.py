"""Events as JSON text: the same as their objects, and written once."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.actions.events_json import EventsJson, encode
from agent.dialogue.events import BotUttered, Event, SlotSet, UserUttered

TEXTS = st.text(st.characters(codec="utf-8"))
EVENTS = st.lists(
    st.one_of(
        st.builds(UserUttered, text=TEXTS, parse_data=st.dictionaries(TEXTS, TEXTS)),
        st.builds(BotUttered, text=TEXTS),
        st.builds(SlotSet, name=TEXTS, value=st.one_of(st.none(), st.integers(), TEXTS)),
    )
)


@given(EVENTS, TEXTS)
def test_events_in_a_body_read_as_if_each_had_been_written_there(
    events: list[Event], text: str
) -> None:
    body = {"said": text, "tracker": {"events": EventsJson(events)}, "last": [text]}
    plain = {**body, "tracker": {"events": [event.to_dict() for event in events]}}
    assert json.loads(encode(body)) == json.loads(json.dumps(plain))


def test_events_that_came_later_are_not_in_it() -> None:
    events: list[Event] = [SlotSet(name="a", value=1)]
    so_far = EventsJson(events)
    events.append(SlotSet(name="b", value=2))
    assert [event["name"] for event in json.loads(so_far.to_json())] == ["a"]


def test_an_event_is_written_once_and_stays_equal_to_one_that_was_not() -> None:
    event, other = (SlotSet(timestamp=1.0, name="a", value=("x",)) for _ in range(2))
    assert event.to_json() is event.to_json()
    assert event == other
    assert json.loads(event.to_json()) == {
        "event": "slot",
        "timestamp": 1.0,
        "name": "a",
        "value": ["x"],
    }
