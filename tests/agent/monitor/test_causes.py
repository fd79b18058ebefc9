"""Which items an alarm shows: those of what grew, not the surest of all."""

from typing import Any

from agent.monitor.causes import headlines
from agent.monitor.watch import Alarm
from agent.monitor.windows import ALL, DAY_S, History, Series, field_name

DAY = 30


def item(
    text: str, topic: str, *, sure: float = 0.5, names: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    entities = [{"label": "organization", "value": name} for name in names]
    return {
        "text": text,
        "topic": topic,
        "sentiment": "negative",
        "sentiment_confidence": sure,
        "entities": entities,
        "window": DAY * DAY_S,
        **more,
    }


def history(**topics: tuple[int, int]) -> History:
    """Counts a day before, and on the day, of topics (and entities, as `@name`)."""
    found = History(DAY_S)
    for day in range(DAY + 1):
        counts, every = {}, 0
        for name, (usual, present) in topics.items():
            kind = "entity" if name.startswith("at_") else "topic"
            count = present if day == DAY else usual
            series = Series(kind, name.removeprefix("at_"))
            counts[field_name(series, "negative")] = count
            every += count if kind == "topic" else 0
        counts[field_name(Series(ALL), "negative")] = every
        found.put(day * DAY_S, counts)
    return found


def alarm(series: Series, observed: int, expected: float) -> Alarm:
    return Alarm(series, DAY * DAY_S, DAY_S, 1, observed, expected, 1e-6, "negative")


def test_an_alarm_over_all_shows_what_grew_and_not_the_surest() -> None:
    counts = history(macro=(20, 20), banks=(1, 15))
    records = [item(f"macro {n}", "macro", sure=0.99) for n in range(20)]
    records += [item(f"banks {n}", "banks", sure=0.6) for n in range(15)]
    found = headlines(alarm(Series(ALL), 35, 21.0), records, counts)
    assert [text.split()[0] for text in found] == ["banks"] * 5


def test_two_topics_that_grew_share_the_places_by_how_much() -> None:
    counts = history(macro=(2, 2), banks=(2, 14), oil=(2, 9))
    records = [
        item(f"{topic} {n}", topic)
        for topic, count in (("macro", 2), ("banks", 14), ("oil", 9))
        for n in range(count)
    ]
    found = headlines(alarm(Series(ALL), 25, 6.0), records, counts)
    assert [text.split()[0] for text in found] == ["banks", "oil", "banks", "banks", "oil"]


def test_an_alarm_of_a_topic_shows_the_names_that_grew() -> None:
    counts = history(banks=(10, 20), at_acme=(1, 11))
    records = [item(f"other {n}", "banks", sure=0.99) for n in range(9)]
    records += [item(f"Acme {n}", "banks", names=("$Acme",)) for n in range(11)]
    found = headlines(alarm(Series("topic", "banks"), 20, 10.0), records, counts)
    assert [text.split()[0] for text in found] == ["Acme"] * 5


def test_among_equal_items_the_surest_come_first_and_no_text_twice() -> None:
    counts = history(banks=(1, 9))
    words = ["fined", "probed", "sued", "raided", "closed", "merged", "sold", "moved", "late"]
    records = [item(word, "banks", sure=n / 10) for n, word in enumerate(words)] * 2
    found = headlines(alarm(Series("topic", "banks"), 9, 1.0), records, counts)
    assert found == ("late", "moved", "sold", "merged", "closed")


def test_what_says_nearly_the_same_comes_after_what_says_something_else() -> None:
    counts = history(banks=(1, 9))
    records = [item(f"Regulator fines Acme ({n})", "banks", sure=0.9) for n in range(8)]
    records.append(item("Court rules against a bank", "banks", sure=0.1))
    found = headlines(alarm(Series("topic", "banks"), 9, 1.0), records, counts)
    assert found[:2] == ("Regulator fines Acme (0)", "Court rules against a bank")
    assert len(found) == 5


def test_items_of_other_windows_and_tones_caused_nothing() -> None:
    counts = history(banks=(1, 9))
    records = [
        item("yesterday", "banks", window=(DAY - 1) * DAY_S),
        item("good news", "banks", sentiment="positive"),
        item("it", "banks"),
    ]
    assert headlines(alarm(Series(ALL), 9, 1.0), records, counts) == ("it",)


def test_an_alarm_without_items_has_no_headlines() -> None:
    assert headlines(alarm(Series(ALL), 9, 1.0), [], history(banks=(1, 9))) == ()
