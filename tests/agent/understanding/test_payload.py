import pytest

from agent.understanding.payload import injected, read_payload
from agent.understanding.rasa_format import parse_result


def test_a_payload_states_its_intent_with_confidence_one() -> None:
    understanding = read_payload("/greet")
    assert understanding is not None
    assert understanding.intent is not None
    assert (understanding.intent.intent, understanding.intent.confidence) == ("greet", 1.0)
    assert understanding.source == "payload"


def test_a_payload_may_state_its_confidence() -> None:
    understanding = read_payload("/greet@0.4")
    assert understanding is not None
    assert understanding.ranking[0].confidence == 0.4


def test_a_payload_carries_entities_and_lists_give_several() -> None:
    understanding = read_payload('/order{"item": ["tea", "milk"], "count": 2}')
    assert understanding is not None
    assert [(e.label, e.value) for e in understanding.entities] == [
        ("item", "tea"),
        ("item", "milk"),
        ("count", 2),
    ]


def test_a_retrieval_payload_keeps_its_key() -> None:
    understanding = read_payload("/faq/opening_hours")
    assert understanding is not None
    assert understanding.ranking[0].intent == "faq"
    assert [score.intent for score in understanding.responses["faq"]] == ["faq/opening_hours"]


def test_an_external_message_is_a_payload() -> None:
    understanding = read_payload("EXTERNAL: /remind")
    assert understanding is not None
    assert understanding.ranking[0].intent == "remind"


@pytest.mark.parametrize("text", ["hello", "/", "/ greet", "", "a /greet", "1/2"])
def test_ordinary_text_is_no_payload(text: str) -> None:
    assert read_payload(text) is None


def test_entities_that_are_no_json_are_left_out() -> None:
    understanding = read_payload("/greet{not json}")
    assert understanding is not None
    assert understanding.entities == ()


def test_an_injected_intent_is_told_without_its_payload_and_places() -> None:
    understanding = read_payload('EXTERNAL: /rain{"city": "Rome"}')
    assert understanding is not None
    told = injected(parse_result(understanding))
    assert told["text"] == "EXTERNAL: rain"
    assert [(e["entity"], e["value"]) for e in told["entities"]] == [("city", "Rome")]
    assert not {"start", "end"} & told["entities"][0].keys()
