"""The bundled newsroom: a sound project whose test headlines are new to it."""

from collections import Counter

import pytest

from agent.project import load_nlu, load_project
from agent.project.types import Project
from knowledge.project_folder import bundled_assistant

TOPICS = 10
SENTIMENTS = {"positive", "neutral", "negative"}
ENTITIES = {"organization", "person", "amount", "ticker"}


@pytest.fixture(scope="module")
def newsroom() -> Project:
    return load_project(bundled_assistant("newsroom"))


def test_every_topic_has_as_many_examples_of_each_sentiment(newsroom: Project) -> None:
    counts = Counter((e.intent, e.labels.get("sentiment")) for e in newsroom.nlu.examples)
    counts.pop(("oos", None))
    assert len(counts) == 3 * TOPICS
    assert len(set(counts.values())) == 1
    assert counts.total() >= 900


def test_sentiments_and_entities_are_those_of_the_domain(newsroom: Project) -> None:
    labels = {e.labels["sentiment"] for e in newsroom.nlu.examples if e.labels}
    spans = {span.label for e in newsroom.nlu.examples for span in e.entities}
    assert (labels, spans) == (SENTIMENTS, ENTITIES)


def test_no_headline_stands_twice_or_is_tested_on(newsroom: Project) -> None:
    texts = [e.text.casefold() for e in newsroom.nlu.examples]
    tests = load_nlu([newsroom.root / "tests" / "test_nlu.yml"]).examples
    assert len(set(texts)) == len(texts)
    assert not {e.text.casefold() for e in tests} & set(texts)
