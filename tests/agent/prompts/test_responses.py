import random
from typing import Any

import pytest

from agent.dialogue.events import SlotSet
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain, ResponseVariation, Slot
from agent.prompts.responses import (
    DomainResponses,
    choose_variation,
    conditions_hold,
    draft_of,
    utterance,
)
from agent.turn import Button

V = ResponseVariation
RNG = random.Random(1)


def chosen(*variations: ResponseVariation, channel: str = "rest", **slots: Any) -> set[str | None]:
    picks = (choose_variation(variations, slots, channel=channel, rng=RNG) for _ in range(60))
    return {None if v is None else v.text for v in picks}


def test_the_choice_is_among_all_that_match() -> None:
    assert chosen(V(text="a"), V(text="b")) == {"a", "b"}


def test_a_variation_for_the_channel_wins() -> None:
    assert chosen(V(text="a"), V(text="b", channel="rest")) == {"b"}
    assert chosen(V(text="a"), V(text="b", channel="slack")) == {"a"}
    assert chosen(V(text="b", channel="slack")) == {None}


def test_a_variation_whose_conditions_hold_wins_over_one_without() -> None:
    vip = V(text="vip", conditions=(("tier", "gold"),))
    assert chosen(V(text="plain"), vip, tier="Gold") == {"vip"}
    assert chosen(V(text="plain"), vip, tier="tin") == {"plain"}
    assert chosen(vip) == {None}


def test_the_channel_counts_more_than_conditions() -> None:
    vip = V(text="vip", conditions=(("tier", "gold"),))
    here = V(text="here", channel="rest")
    both = V(text="both", channel="rest", conditions=(("tier", "gold"),))
    assert chosen(vip, here, tier="gold") == {"here"}
    assert chosen(vip, here, both, tier="gold") == {"both"}


@pytest.mark.parametrize(
    ("slots", "holds"),
    [
        ({"a": "X", "b": True}, True),
        ({"a": "x", "b": True}, True),
        ({"a": "x", "b": False}, False),
        ({"a": "x"}, False),
        ({"a": None, "b": True}, False),
    ],
)
def test_all_conditions_must_hold(slots: dict[str, Any], holds: bool) -> None:
    assert conditions_hold((("a", "x"), ("b", True)), slots) is holds


async def test_a_response_is_filled_from_slots_and_arguments() -> None:
    domain = Domain(
        slots={"name": Slot("name", "text"), "unset": Slot("unset", "text")},
        responses={
            "utter_x": (
                V(
                    text="{name} {unset} {extra} {requested_slot}",
                    buttons=({"title": "{name}", "payload": '/a{{"n": "{name}"}}', "type": "t"},),
                    image="http://x/{name}.png",
                    custom={"deep": [{"n": "{name}"}]},
                    metadata={"note": "{name}"},
                    id="7",
                ),
            )
        },
    )
    responses = DomainResponses(domain, random.Random(0))
    tracker = Tracker("alice", domain, [SlotSet(name="name", value="Ada")])
    draft = await responses.draft("utter_x", tracker, channel="rest", arguments={"extra": 5})
    assert draft is not None
    said = utterance({**draft, "utter_action": "utter_x"}, "alice")
    assert said.reply is not None
    assert said.reply.text == "Ada None 5 None"
    assert said.reply.buttons == (Button("Ada", '/a{"n": "Ada"}', {"type": "t"}),)
    assert said.reply.image == "http://x/Ada.png"
    assert said.reply.custom == {"deep": [{"n": "Ada"}]}
    assert said.event.metadata == {
        "metadata": {"note": "{name}"},
        "id": "7",
        "utter_action": "utter_x",
    }
    assert await responses.draft("utter_y", tracker, channel="rest", arguments={}) is None


def test_the_event_has_rasas_data_with_the_image_as_attachment() -> None:
    said = utterance({"text": "Look", "image": "http://x/y.png", "elements": []}, "alice")
    assert said.event.data == {
        "elements": None,
        "quick_replies": None,
        "buttons": None,
        "attachment": "http://x/y.png",
        "image": "http://x/y.png",
        "custom": None,
    }
    assert said.reply is not None
    assert said.reply.attachment is None


def test_quick_replies_are_shown_as_buttons() -> None:
    said = utterance({"text": "Go?", "quick_replies": [{"title": "Yes", "payload": "/y"}]}, "a")
    assert said.reply is not None
    assert said.reply.buttons == (Button("Yes", "/y"),)
    assert said.event.data["quick_replies"] == [{"title": "Yes", "payload": "/y"}]


def test_a_message_that_says_nothing_has_an_event_but_no_reply() -> None:
    said = utterance({"text": None, "buttons": [], "custom": {}}, "alice")
    assert said.reply is None
    assert said.event.text is None


def test_buttons_without_payload_or_title_are_still_buttons(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw = [{"title": "Yes"}, {"payload": "/no"}, {"title": "Web", "url": "http://x"}, "junk"]
    said = utterance({"buttons": raw}, "alice")
    assert said.reply is not None
    assert [(b.title, b.payload) for b in said.reply.buttons] == [
        ("Yes", "Yes"),
        ("/no", "/no"),
        ("Web", "http://x"),
    ]
    assert "junk" in caplog.text


def test_a_variation_becomes_a_draft_with_the_keys_it_has() -> None:
    variation = V(text="hi", channel="rest", conditions=(("a", 1),))
    assert draft_of(variation) == {
        "text": "hi",
        "channel": "rest",
        "condition": [{"type": "slot", "name": "a", "value": 1}],
    }
