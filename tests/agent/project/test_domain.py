from agent.project import (
    Form,
    MappingCondition,
    ResponseVariation,
    SessionConfig,
    SlotMapping,
)
from tests.agent.project.conftest import ReadProject

DOMAIN = """\
version: "3.1"
intents:
- greet
- book:
    use_entities: [city]
    ignore_entities: []
- bye:
    use_entities: []
    title: Say goodbye
entities:
- date
- city:
    roles: [from, to]
    groups: ["1"]
    influence_conversation: false
    description: Where somebody goes.
slots:
  city:
    type: text
    initial_value: Rome
    mappings:
    - type: from_entity
      entity: city
      role: to
      not_intent: bye
      conditions:
      - active_loop: book_form
        requested_slot: city
    - type: from_intent
      intent: [greet, book]
      value: {a: 1}
  level:
    type: float
    min_value: 1
    max_value: 9.5
    influence_conversation: false
    mappings:
    - type: custom
      action: action_level
  colour:
    type: categorical
    values: [red, 5]
    mappings: [{type: from_text}]
forms:
  book_form:
    required_slots: [city]
    ignored_intents: bye
actions:
- action_level
- action_full: {send_domain: true}
- book_form
e2e_actions: ["Hello there"]
responses:
  utter_ask_city:
  - text: "Which city, {name}?"
    id: "1"
    buttons:
    - title: Rome
      payload: '/book{"city": "Rome"}'
    condition:
    - type: slot
      name: colour
      value: red
    channel: slack
    metadata: {tone: calm}
  - custom: {blocks: [1, 2]}
  - image: http://x/y.png
    attachment: {type: video}
    elements: [{title: T}]
    quick_replies: [{title: 5, payload: /x}]
    button_type: vertical
session_config:
  session_expiration_time: 0
  carry_over_slots_to_new_session: false
config:
  store_entities_as_slots: false
"""


def test_every_part_of_a_domain_is_read(read: ReadProject) -> None:
    project = read({"domain.yml": DOMAIN})
    domain = project.domain
    assert project.notices == ()
    assert domain.intents["greet"].use_entities is None
    assert domain.intents["book"].use_entities == ("city",)
    assert domain.intents["bye"].use_entities == ()
    assert domain.intents["bye"].title == "Say goodbye"
    assert domain.entities["city"].roles == ("from", "to")
    assert domain.entities["city"].groups == ("1",)
    assert domain.entities["city"].influence_conversation is False
    assert domain.entities["city"].description == "Where somebody goes."
    assert domain.forms == {"book_form": Form("book_form", ("city",), ("bye",))}
    assert domain.actions == ("action_level", "action_full")
    assert domain.send_domain == ("action_full",)
    assert domain.e2e_actions == ("Hello there",)
    assert domain.session == SessionConfig(0.0, False)
    assert domain.store_entities_as_slots is False


def test_slots_carry_their_mappings(read: ReadProject) -> None:
    slots = read({"domain.yml": DOMAIN}).domain.slots
    assert slots["city"].initial_value == "Rome"
    assert slots["city"].mappings == (
        SlotMapping(
            "from_entity",
            entity="city",
            role="to",
            not_intent=("bye",),
            conditions=(MappingCondition("book_form", "city"),),
        ),
        SlotMapping("from_intent", intent=("greet", "book"), value={"a": 1}),
    )
    assert (slots["level"].min_value, slots["level"].max_value) == (1.0, 9.5)
    assert slots["level"].influence_conversation is False
    assert slots["colour"].values == ("red", 5)


def test_responses_carry_all_that_a_channel_may_show(read: ReadProject) -> None:
    first, second, third = read({"domain.yml": DOMAIN}).domain.responses["utter_ask_city"]
    assert first == ResponseVariation(
        text="Which city, {name}?",
        buttons=({"title": "Rome", "payload": '/book{"city": "Rome"}'},),
        channel="slack",
        metadata={"tone": "calm"},
        conditions=(("colour", "red"),),
        id="1",
    )
    assert second == ResponseVariation(custom={"blocks": [1, 2]})
    assert third.quick_replies == ({"title": "5", "payload": "/x"},)
    assert third.attachment == {"type": "video"}


def test_the_raw_domain_is_plain_json_in_rasas_layout(read: ReadProject) -> None:
    raw = read({"domain.yml": DOMAIN}).domain.raw
    assert raw["version"] == "3.1"
    assert raw["intents"][:2] == [
        "greet",
        {"book": {"use_entities": ["city"], "ignore_entities": []}},
    ]
    assert raw["session_config"]["session_expiration_time"] == 0
    assert raw["slots"]["level"]["mappings"] == [{"type": "custom", "action": "action_level"}]
    assert type(raw["responses"]["utter_ask_city"][0]) is dict


def test_a_domain_may_be_split_over_folders_and_data_files(read: ReadProject) -> None:
    project = read(
        {
            "domain/intents.yml": "intents: [a]\n",
            "domain/more/slots.yaml": "slots:\n  s: {type: any, mappings: [{type: custom}]}\n",
            "data/answers.yml": "responses:\n  utter_a:\n  - text: A\nintents: [b]\n",
        }
    )
    assert list(project.domain.intents) == ["a", "b"]
    assert list(project.domain.slots) == ["s"]
    assert list(project.domain.responses) == ["utter_a"]
    assert project.domain.places["responses.utter_a"].path == "data/answers.yml"


def test_a_thing_that_stands_twice_is_told_and_the_later_one_counts(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": "intents: [a, a]\nresponses:\n  utter_a:\n  - text: A\n",
            "data/x.yml": "responses:\n  utter_a:\n  - text: B\n",
        }
    )
    assert project.domain.responses["utter_a"][0].text == "B"
    assert [n.key for n in project.notices] == ["intents.a", "responses.utter_a"]


def test_a_block_of_text_is_plain_text_in_a_response(read: ReadProject) -> None:
    project = read({"domain.yml": "responses:\n  utter_a:\n  - text: |\n      one\n      two\n"})
    text = project.domain.responses["utter_a"][0].text
    assert text == "one\ntwo\n"
    assert type(text) is str


def test_rasas_own_slot_classes_are_its_types(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            slots:
              name: {type: rasa.shared.core.slots.TextSlot, mappings: [{type: custom}]}
              right: {type: rasa.shared.core.slots.BooleanSlot, mappings: [{type: custom}]}
              thing: {type: rasa.shared.core.slots.AnySlot, mappings: [{type: custom}]}
            """
        },
        base=True,
    )
    kinds = {name: slot.type for name, slot in project.domain.slots.items()}
    assert (kinds["name"], kinds["right"], kinds["thing"]) == ("text", "bool", "any")
