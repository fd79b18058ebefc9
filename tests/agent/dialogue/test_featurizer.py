"""What the policies see of messages: intents and the entities that count."""

import pytest

from agent.dialogue.featurizer import Featurizer, State, featurizer_for, states_length
from agent.project.types import Domain, EntityType, Intent
from tests.agent.dialogue.talk import domain, says

TYPES = {
    "city": EntityType("city", roles=("from", "to")),
    "size": EntityType("size"),
    "mood": EntityType("mood", influence_conversation=False),
}


def labels(intent: Intent, *entities: dict[str, str]) -> tuple[str, ...]:
    dom = Domain(intents={intent.name: intent}, entities=TYPES)
    message = says(intent.name)
    parse_data = {"intent": {"name": intent.name}, "entities": list(entities)}
    return Featurizer(dom).message(type(message)(parse_data=parse_data))[1]


CITY = {"entity": "city", "role": "to", "value": "Rome"}
SIZE = {"entity": "size", "value": "XL"}
MOOD = {"entity": "mood", "value": "happy"}


@pytest.mark.parametrize(
    ("intent", "seen"),
    [
        (Intent("book"), ("city", "city#to", "size")),
        (Intent("book", use_entities=()), ()),
        (Intent("book", use_entities=("city",)), ("city", "city#to")),
        (Intent("book", ignore_entities=("city",)), ("size",)),
        (Intent("book", use_entities=("mood", "size")), ("size",)),
        (Intent("book", use_entities=("mood",), ignore_entities=("size",)), ("mood",)),
    ],
)
def test_an_intent_decides_which_entities_count(intent: Intent, seen: tuple[str, ...]) -> None:
    assert labels(intent, SIZE, CITY, MOOD) == seen


def test_entities_of_an_unknown_intent_all_count() -> None:
    message = says("never_heard", city="Rome", planet="Mars")
    assert Featurizer(domain()).message(message)[1] == ("city", "planet")


def test_entities_that_the_domain_does_not_have_are_not_seen() -> None:
    assert Featurizer(domain()).message(says("greet", planet="Mars", city="Rome"))[1] == ("city",)


def test_a_state_survives_its_json() -> None:
    state = State(
        intent="greet",
        entities=("city",),
        action="action_listen",
        loop="pizza_form",
        slots=(("vegan", (1.0, 0.0)), ("city", "should_not_be_set")),
    )
    assert State.from_json(state.to_json()) == state
    assert State.from_json(State().to_json()) == State()
    assert State(text="hi", action_text="hello").to_json() == {
        "user": {"text": "hi"},
        "prev_action": {"action_text": "hello"},
    }


def test_the_length_of_states_is_that_of_rasas_text() -> None:
    state = State(intent="greet", action="action_listen")
    text = '[{"prev_action": {"action_name": "action_listen"}, "user": {"intent": "greet"}}]'
    assert states_length([state]) == len(text)


def test_a_domains_featurizer_is_built_once() -> None:
    dom = domain()
    assert featurizer_for(dom) is featurizer_for(dom)
    assert featurizer_for(dom) is not featurizer_for(domain())
