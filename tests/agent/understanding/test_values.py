"""Values and their precedence, on scripted matches; Duckling itself in test_duckling.py."""

from collections.abc import Sequence
from dataclasses import replace

from agent.project.values_config import SPACY_VALUES, ValuesConfig
from agent.turn import Entity, IntentScore, Understanding
from agent.understanding.duckling import Match
from agent.understanding.rasa_format import parse_result, understanding_from_parse
from agent.understanding.values import EXTRACTOR, Values

IBAN = "DE89 3704 0044 0532 0130 00"


class Scripted:
    """Gives the same matches for every text, and remembers what it was asked."""

    def __init__(self, *matches: Match) -> None:
        self.matches = list(matches)
        self.asked: list[tuple[str, list[str], float]] = []

    def find(self, text: str, dimensions: Sequence[str], time_s: float) -> list[Match]:
        self.asked.append((text, list(dimensions), time_s))
        return [match for match in self.matches if match["dim"] in dimensions]


def money(start: int, end: int) -> Match:
    value = {"value": 50, "type": "value", "unit": "EUR"}
    return {"dim": "amount-of-money", "start": start, "end": end, "value": value}


def values(finder: Scripted, **config: object) -> Values:
    return Values(replace(ValuesConfig(), **config), finder, clock=lambda: 7.0)  # type: ignore[arg-type]


def understood(text: str, *entities: Entity) -> Understanding:
    return Understanding(text, (IntentScore("send", 1.0),), entities)


def network(label: str, start: int, end: int, text: str, role: str | None = None) -> Entity:
    words = text[start:end]
    return Entity(label, start, end, words, words, role=role, confidence=0.9, extractor="network")


def test_a_value_has_rasas_shape() -> None:
    text = "send 50 euros"
    (found,) = values(Scripted(money(5, 13))).find(text)
    assert (found.label, found.text, found.value) == ("amount-of-money", "50 euros", 50)
    shown = parse_result(understood(text, found))["entities"][0]
    assert shown == {
        "entity": "amount-of-money",
        "start": 5,
        "end": 13,
        "text": "50 euros",
        "value": 50,
        "confidence": 1.0,
        "additional_info": {"value": 50, "type": "value", "unit": "EUR"},
        "extractor": "DucklingEntityExtractor",
    }


def test_a_value_survives_being_written_and_read() -> None:
    (found,) = values(Scripted(money(5, 13))).find("send 50 euros")
    heard = understood("send 50 euros", found)
    (read,) = understanding_from_parse(parse_result(heard)).entities
    assert read == found


def test_an_interval_is_given_by_its_ends() -> None:
    ends = {"type": "interval", "from": {"value": "15:00", "grain": "hour"}}
    finder = Scripted({"dim": "time", "start": 0, "end": 12, "value": ends})
    (found,) = values(finder).find("from 3 pm on")
    assert found.value == {"to": None, "from": "15:00"}
    assert found.additional_info == ends


def test_only_the_dimensions_asked_for_are_looked_for() -> None:
    finder = Scripted(money(0, 2))
    assert values(finder, dimensions=("time",)).find("50") == []
    assert finder.asked == [("50", ["time"], 7.0)]


def test_entities_of_other_labels_stand_beside_a_value() -> None:
    text = "send 50 euros"
    asked = values(Scripted(money(5, 13)))
    joined = asked.join([network("amount", 5, 13, text)], asked.find(text))
    assert [e.label for e in joined] == ["amount", "amount-of-money"]


def test_a_value_replaces_a_span_of_its_label_and_keeps_its_role() -> None:
    text = "send 50 euros"
    asked = values(Scripted(money(5, 13)))
    spans = [network("amount-of-money", 5, 7, text, role="sent")]
    (joined,) = asked.join(spans, asked.find(text))
    assert (joined.text, joined.value, joined.role) == ("50 euros", 50, "sent")
    assert (joined.confidence, joined.extractor) == (0.9, EXTRACTOR)


def test_a_label_is_read_as_a_value_where_the_project_says_so() -> None:
    text = "send 50 euros"
    asked = values(Scripted(money(5, 13)), dimensions=(), normalize={"amount": "amount-of-money"})
    (joined,) = asked.join([network("amount", 5, 7, text)], asked.find(text))
    assert (joined.label, joined.text, joined.value) == ("amount", "50", 50)
    assert joined.additional_info == {"value": 50, "type": "value", "unit": "EUR"}
    assert joined.extractor == "network"


def test_a_span_without_a_value_keeps_its_text() -> None:
    asked = values(Scripted(), normalize={"amount": "amount-of-money"})
    spans = [network("amount", 5, 9, "send lots")]
    assert asked.join(spans, asked.find("send lots")) == spans


def test_values_of_an_earlier_day_give_way_to_fresh_ones() -> None:
    stale = Entity("time", 0, 8, "tomorrow", "2020-01-02", extractor=EXTRACTOR)
    match: Match = {"dim": "time", "start": 0, "end": 8, "value": {"value": "2026-01-02"}}
    asked = values(Scripted(match))
    assert [e.value for e in asked.join([stale], asked.find("tomorrow"))] == ["2026-01-02"]


def test_an_iban_is_found_by_its_check_digits() -> None:
    asked = values(Scripted(), dimensions=("iban",))
    (found,) = asked.find(f"to {IBAN.lower()}, please")
    assert (found.label, found.value) == ("iban", "DE89370400440532013000")
    assert found.text == IBAN.lower()
    assert asked.find("to DE89 3704 0044 0532 0130 01") == []


def test_no_other_value_is_found_in_an_iban() -> None:
    text = f"50 to {IBAN}"
    numbers: list[Match] = [
        {"dim": "number", "start": at, "end": at + 2, "value": {"value": 1}} for at in (0, 8, 16)
    ]
    found = values(Scripted(*numbers), dimensions=("number", "iban")).find(text)
    assert [(e.label, e.start) for e in found] == [("number", 0), ("iban", 6)]


def test_a_card_number_with_spaces_is_shown_to_duckling_with_hyphens() -> None:
    finder = Scripted()
    values(finder).find("card 4111 1111 1111 1111 for 2 weeks")
    assert finder.asked[0][0] == "card 4111-1111-1111-1111 for 2 weeks"


def test_a_value_under_spacys_name_has_its_shape() -> None:
    text = "send 50 euros"
    found = values(Scripted(money(5, 13)), dimensions=(), spacy=("MONEY",)).find(text)
    (shown,) = parse_result(understood(text, *found))["entities"]
    assert shown == {
        "entity": "MONEY",
        "start": 5,
        "end": 13,
        "value": "50 euros",
        "extractor": "SpacyEntityExtractor",
    }


def match(dimension: str, start: int, end: int, **value: object) -> Match:
    return {"dim": dimension, "start": start, "end": end, "value": value}


def test_spacys_labels_follow_what_a_value_is() -> None:
    text = "in 2 hours or 3 days, 5 % on the first of 7 km at noon in May 8"
    finder = Scripted(
        match("time", 0, 10, grain="hour"),
        match("number", 3, 4),
        match("duration", 14, 20, unit="day"),
        match("number", 22, 23),
        match("ordinal", 33, 38),
        match("distance", 42, 46),
        match("time", 50, 54, type="interval", **{"from": {"grain": "hour"}}),
        match("time", 55, 61, grain="month"),
        match("number", 62, 63),
    )
    found = values(finder, dimensions=(), spacy=tuple(SPACY_VALUES)).find(text)
    assert [(e.label, e.text) for e in found] == [
        ("TIME", "2 hours"),
        ("DATE", "3 days"),
        ("PERCENT", "5 %"),
        ("ORDINAL", "first"),
        ("QUANTITY", "7 km"),
        ("TIME", "noon"),
        ("DATE", "May"),
        ("CARDINAL", "8"),
    ]


def test_a_number_inside_a_date_is_no_cardinal() -> None:
    finder = Scripted(match("time", 0, 5, grain="day"), match("number", 4, 5))
    assert values(finder, dimensions=(), spacy=("CARDINAL",)).find("May 5") == []


def test_values_under_both_names_stand_beside_each_other() -> None:
    joined = values(Scripted(money(5, 13)), spacy=("MONEY",))
    entities = joined.join([], joined.find("send 50 euros"))
    assert [e.label for e in entities] == ["amount-of-money", "MONEY"]
