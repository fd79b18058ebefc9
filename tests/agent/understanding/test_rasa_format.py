from agent.turn import Entity, IntentScore, Understanding
from agent.understanding.rasa_format import parse_result, understanding_from_parse


def test_a_parse_result_has_rasas_keys() -> None:
    entity = Entity("city", 3, 7, "York", "york", role="to", confidence=0.5, extractor="network")
    ranking = (IntentScore("fly", 0.9), IntentScore("greet", 0.1))
    heard = Understanding("to York", ranking, (entity,))
    result = parse_result(heard)
    assert result["intent"] == {"name": "fly", "confidence": 0.9}
    assert [r["name"] for r in result["intent_ranking"]] == ["fly", "greet"]
    assert result["entities"] == [
        {
            "entity": "city",
            "start": 3,
            "end": 7,
            "value": "york",
            "confidence_entity": 0.5,
            "role": "to",
            "extractor": "network",
        }
    ]


def test_an_empty_ranking_gives_a_null_intent() -> None:
    assert parse_result(Understanding(""))["intent"] == {"name": None, "confidence": 0.0}


def test_the_response_selector_names_the_action_to_utter() -> None:
    scores = (IntentScore("faq/hours", 0.8), IntentScore("faq/fees", 0.2))
    result = parse_result(Understanding("when", responses={"default": scores, "faq": scores}))
    selector = result["response_selector"]
    assert selector["all_retrieval_intents"] == ["faq"]
    assert selector["faq"]["response"]["utter_action"] == "utter_faq/hours"
    assert selector["default"]["ranking"][1] == {
        "confidence": 0.2,
        "intent_response_key": "faq/fees",
    }


def test_a_parse_result_reads_back_as_the_same_understanding() -> None:
    entity = Entity("city", 3, 7, "York", "York", group="1", extractor="network")
    heard = Understanding("to York", (IntentScore("fly", 0.75),), (entity,), in_scope=0.5)
    assert understanding_from_parse(parse_result(heard)) == heard
