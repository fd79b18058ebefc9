"""New topics among the items that fit none."""

from agent.monitor.emerging import new_topics
from tests.agent.scripted import encode


def records(texts: list[str]) -> list[dict[str, str]]:
    return [{"text": text, "date": f"2026-01-{n + 1:02}"} for n, text in enumerate(texts)]


def test_like_items_are_a_new_topic_named_by_their_own_words() -> None:
    zoo = [f"pandas born at zoo {n}" for n in range(5)]
    found = new_topics(records([*zoo, "JKLQXYZ", "$$$ 999 ###"]), encode)
    assert len(found) == 1
    assert found[0].count == 5
    assert {"pandas", "zoo"} <= set(found[0].words)
    assert found[0].last == "2026-01-05"


def test_the_same_text_again_is_no_topic() -> None:
    assert new_topics(records(["pandas born"] * 50), encode) == []


def test_nothing_outside_is_nothing_new() -> None:
    assert new_topics([], encode) == []
