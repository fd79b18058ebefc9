from typing import Any

import pytest

from agent.feedback.correction import Correction
from agent.feedback.names import name_labels
from agent.feedback.records import completed, logged_text, mask_record, prediction
from agent.project.types import EntityAnnotation
from agent.turn import Decision, Entity, IntentScore, Message, Reply, Turn, Understanding
from agent.turn_record import turn_record
from agent.understanding.payload import read_payload
from knowledge.errors import InputError


def record(text: str = "send 50 to jo@x.com now") -> dict[str, Any]:
    start = text.index("jo@x.com")
    spans = (
        Entity("amount", 5, 7, "50", "50"),
        Entity("recipient", start, start + 8, "jo@x.com", "jo@x.com"),
    )
    turn = Turn(
        id="t1",
        message=Message("m1", "c@d.ef", text, metadata={"email": "c@d.ef", "n": 3}),
        understanding=Understanding(text, (IntentScore("pay", 0.9),), spans),
        decisions=(Decision("utter_sent", "RulePolicy"),),
        replies=(Reply("c@d.ef", "Sent to jo@x.com."),),
        model_version="v1",
        took_ms=1.0,
    )
    return turn_record(turn)


def test_no_personal_data_of_the_message_is_left_in_the_record() -> None:
    masked = mask_record(record())
    assert masked["message"]["text"] == "send 50 to <EMAIL> now"
    assert masked["understanding"]["text"] == "send 50 to <EMAIL> now"
    assert masked["replies"][0]["text"] == "Sent to <EMAIL>."
    assert masked["message"]["metadata"] == {"email": "<EMAIL>", "n": 3}
    assert "jo@x.com" not in str(masked)


def test_an_answer_keeps_no_part_of_the_personal_data_it_repeats() -> None:
    stated = record("send 50 to jo@x.com now")
    button = {"title": "Yes, Jo", "payload": '/affirm{"who": "jo"}'}
    stated["replies"] = [{"recipient": "jo", "text": "Hi Jo, 50 it is?", "buttons": [button]}]
    (reply,) = mask_record(stated)["replies"]
    assert reply["text"] == "Hi <EMAIL>, 50 it is?"
    assert reply["buttons"] == [{"title": "Yes, <EMAIL>", "payload": '/affirm{"who": "<EMAIL>"}'}]


def test_an_answer_keeps_no_part_of_what_was_told_before() -> None:
    stated = record("send 50 to jo@x.com now")
    stated["replies"] = [{"text": "Done, Ann."}]
    (reply,) = mask_record(stated, told=["I am ann@example.com"])["replies"]
    assert reply == {"text": "Done, <EMAIL>."}


def test_ids_stay_so_that_the_person_can_be_forgotten() -> None:
    assert mask_record(record())["message"]["conversation_id"] == "c@d.ef"


def test_entities_keep_standing_where_they_stood() -> None:
    understood = mask_record(record())["understanding"]
    spans = [
        (understood["text"][e["start"] : e["end"]], e["value"]) for e in understood["entities"]
    ]
    assert spans == [("50", "50"), ("<EMAIL>", "<EMAIL>")]


def test_masking_a_record_twice_is_masking_it_once() -> None:
    once = mask_record(record())
    assert mask_record(once) == once


def test_offsets_of_the_original_can_be_moved_later() -> None:
    logged = logged_text(mask_record(record()))
    start, end = logged.locate(20, 23)
    assert logged.text[start:end] == "now"


def test_a_prediction_is_read_from_the_record() -> None:
    found = prediction(mask_record(record()))
    assert (found.intent, found.confidence, found.model_version) == ("pay", 0.9, "v1")
    assert found.entities[0] == EntityAnnotation(5, 7, "amount", "50")


def test_a_correction_that_names_its_turn_is_completed() -> None:
    one = Correction(text="", kind="intent", author="a", intent="x", turn_id="t1")
    done = completed(one, mask_record(record()))
    assert (done.text, done.conversation_id) == ("send 50 to <EMAIL> now", "c@d.ef")
    assert done.predicted.intent == "pay"
    assert done.id == one.id


def test_a_turn_that_is_not_kept_is_a_clear_line() -> None:
    one = Correction(text="", kind="intent", author="a", intent="x", turn_id="t1")
    with pytest.raises(InputError, match="not in the log"):
        completed(one, None)


def test_a_payload_that_names_an_intent_by_personal_data_is_masked() -> None:
    stated = record()
    stated["understanding"] |= {"source": "payload", "intent": {"name": "jo@x.com"}}
    assert "jo@x.com" not in str(mask_record(stated)["understanding"])


def test_the_ranking_is_kept_as_it_was() -> None:
    assert mask_record(record())["understanding"]["intent_ranking"] == [
        {"name": "pay", "confidence": 0.9}
    ]


NAMES = name_labels(["PERSON", "first_name"])


def named(text: str = "I am Ann Lee, ann@x.com", source: str = "model") -> dict[str, Any]:
    start = text.index("Ann Lee")
    spans = (Entity("Person", start, start + 7, "Ann Lee", "Ann Lee", extractor="network"),)
    heard = Understanding(text, (IntentScore("inform", 0.9),), spans, source=source)
    reply = Reply("c1", "Hello Ann! Mr LEE, can a lee shore be far?")
    turn = Turn("t1", Message("m1", "c1", text), heard, (), (reply,), "v1", 1.0)
    return turn_record(turn)


def test_names_that_the_model_finds_are_masked_and_spans_move() -> None:
    masked = mask_record(named(), labels=NAMES)
    assert masked["message"]["text"] == masked["understanding"]["text"] == "I am <NAME>, <EMAIL>"
    assert masked["message"]["masked"] == [[5, 12, "NAME"], [14, 23, "EMAIL"]]
    (entity,) = masked["understanding"]["entities"]
    assert (entity["start"], entity["end"], entity["value"]) == (5, 11, "<NAME>")
    assert mask_record(masked, labels=NAMES) == masked


def test_an_answer_keeps_no_part_of_a_name() -> None:
    (reply,) = mask_record(named(), labels=NAMES)["replies"]
    assert reply["text"] == "Hello <NAME>! Mr <NAME>, can a lee shore be far?"


def test_an_answer_keeps_no_name_that_was_told_before() -> None:
    stated = record()
    stated["replies"] = [{"text": "Thank you, Zoltan Kiss."}]
    (reply,) = mask_record(stated, labels=NAMES, names=["zoltan kiss"])["replies"]
    assert reply == {"text": "Thank you, <NAME>."}


def test_names_stay_where_no_entity_is_one() -> None:
    assert mask_record(named())["message"]["text"] == "I am Ann Lee, <EMAIL>"


def test_a_name_in_a_payload_is_masked() -> None:
    text = '/inform{"first_name": "Ann", "n": 3}'
    heard = read_payload(text)
    assert heard is not None
    turn = Turn("t1", Message("m1", "c1", text), heard, (), (), "v1", 1.0)
    masked = mask_record(turn_record(turn), labels=NAMES)
    assert masked["message"]["text"] == '/inform{"first_name": "<NAME>", "n": 3}'
    assert [e["value"] for e in masked["understanding"]["entities"]] == ["<NAME>", 3]
    assert mask_record(masked, labels=NAMES) == masked
