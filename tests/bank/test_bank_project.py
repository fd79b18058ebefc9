"""The bank assistant's files as a whole: enough of everything, and nothing learned by heart."""

import re
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest
from rapidfuzz import fuzz, process
from ruamel.yaml import YAML

from agent.project import read_project
from tests.bank.conftest import BANK

_ENTITY = re.compile(r"\[([^\]]+)\](?:\(([^)]*)\)|\{([^}]*)\})")
_LABELS = {
    *("amount", "currency", "account", "payee", "merchant", "account_number", "card_type"),
    *("card_digits", "date", "location"),
}


def load_yaml(path: str) -> Any:
    return YAML(typ="safe").load(BANK / path)


def texts(block: str) -> list[str]:
    return [line[2:].strip() for line in block.splitlines() if line.startswith("- ")]


def bare(text: str) -> str:
    return _ENTITY.sub(lambda match: match[1], text)


def normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", bare(text).lower()))


@cache
def training() -> dict[str, list[str]]:
    """The examples by intent, retrieval intents by their full name."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((BANK / "data" / "nlu").glob("*.yml")):
        for item in load_yaml(f"data/nlu/{path.name}")["nlu"]:
            if item.get("intent", "oos") != "oos":
                found[item["intent"]] += texts(item["examples"])
    return found


@cache
def held_out() -> tuple[str, ...]:
    path = "tests/test_nlu.yml"
    if not (BANK / path).is_file():
        pytest.skip("the test messages are not written yet")
    items = load_yaml(path)["nlu"]
    return tuple(text for item in items for text in texts(item["examples"]))


def responses() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("responses", "faq"):
        found |= load_yaml(f"domain/{name}.yml")["responses"]
    return found


def stories(path: str, key: str = "stories") -> list[dict[str, Any]]:
    return list(load_yaml(path)[key])


def test_there_are_at_least_thirty_intents() -> None:
    assert len({name.split("/")[0] for name in training()}) >= 30


def test_every_intent_has_at_least_twenty_examples() -> None:
    short = {name: len(found) for name, found in training().items() if len(found) < 20}
    assert short == {}


def test_the_domain_and_the_examples_name_the_same_intents() -> None:
    declared = set(load_yaml("domain/domain.yml")["intents"])
    assert declared == {name.split("/")[0] for name in training()}


def test_every_intent_is_described_and_has_a_title_if_it_can_be_suggested() -> None:
    chat = {"greet", "goodbye", "thanks", "affirm", "deny", "cancel", "inform", "out_of_scope"}
    never_offered = chat | {"bot_challenge", "personal_crisis"}
    for path in (BANK / "data" / "nlu").glob("*.yml"):
        for item in load_yaml(f"data/nlu/{path.name}")["nlu"]:
            if item.get("intent", "oos") != "oos":
                assert item["metadata"]["description"]
                wanted = item["intent"] not in never_offered
                assert ("title" in item["metadata"]) is wanted, item["intent"]


def test_the_titles_are_what_people_read_of_an_intent() -> None:
    intents = read_project(BANK).domain.intents
    assert intents["transfer_money"].title == "Send money"
    assert intents["faq"].title
    assert intents["affirm"].title is None


def test_no_example_stands_twice() -> None:
    counts = Counter(normal(text) for found in training().values() for text in found)
    assert [text for text, count in counts.items() if count > 1] == []


def test_entities_are_marked_with_the_domain_s_labels() -> None:
    for found in training().values():
        for text in found:
            for _, short, long in _ENTITY.findall(text):
                given = short or YAML(typ="safe").load("{" + long + "}")["entity"]
                assert given.split(":")[0] in _LABELS, text


def test_no_markup_is_left_open() -> None:
    for found in training().values():
        for text in found:
            assert not re.search(r"[\[\]{}]|\]\(", bare(text)), text


def test_at_least_eight_questions_have_answers_of_their_own() -> None:
    keys = {name for name in training() if name.startswith("faq/")}
    assert len(keys) >= 8
    assert {f"utter_{key}" for key in keys} == {n for n in responses() if "/" in n}


def test_every_response_that_is_named_exists() -> None:
    named = set()
    for path, key in (("data/rules.yml", "rules"), ("data/stories.yml", "stories")):
        for story in stories(path, key):
            named |= {s["action"] for s in story["steps"] if "action" in s}
    for source in (BANK / "actions").glob("*.py"):
        named |= set(re.findall(r'response="(utter_\w+)"', source.read_text(encoding="utf-8")))
    utterances = {name for name in named if name.startswith("utter_")} - {"utter_faq"}
    assert utterances <= responses().keys()


def test_every_response_is_used() -> None:
    sources = [BANK / "data" / "rules.yml", *(BANK / "actions").glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    asked = {f"utter_ask_{slot}" for slot in load_yaml("domain/forms.yml")["slots"]}
    unused = [n for n in responses() if "/" not in n and n not in text and n not in asked]
    assert unused == []


def test_there_are_three_forms_whose_answers_are_checked() -> None:
    forms = load_yaml("domain/forms.yml")
    assert len(forms["forms"]) >= 3
    assert {f"validate_{name}" for name in forms["forms"]} <= set(forms["actions"])


def test_there_are_at_least_fifteen_stories_of_several_turns() -> None:
    several = [s for s in stories("data/stories.yml") if sum("intent" in x for x in s["steps"]) > 1]
    assert len(several) >= 15


def test_there_are_at_least_thirty_test_stories_over_all_forms() -> None:
    found = stories("tests/test_stories.yml")
    assert len(found) >= 32
    loops = {step.get("active_loop") for story in found for step in story["steps"]}
    assert set(load_yaml("domain/forms.yml")["forms"]) <= loops


def test_test_stories_cover_every_intent_but_one() -> None:
    steps = [step for story in stories("tests/test_stories.yml") for step in story["steps"]]
    seen = {step["intent"].split("/")[0] for step in steps if "intent" in step}
    assert set(load_yaml("domain/domain.yml")["intents"]) - seen <= {"inform"}


def test_names_of_stories_and_rules_are_unique() -> None:
    for path, key, name in (
        ("data/rules.yml", "rules", "rule"),
        ("data/stories.yml", "stories", "story"),
        ("tests/test_stories.yml", "stories", "story"),
    ):
        counts = Counter(entry[name] for entry in stories(path, key))
        assert [title for title, count in counts.items() if count > 1] == []


def test_there_are_at_least_three_hundred_test_messages() -> None:
    assert len(held_out()) >= 300


def test_no_test_message_is_close_to_a_training_example() -> None:
    known = [normal(text) for found in training().values() for text in found]
    close = []
    for text in held_out():
        match = process.extractOne(normal(text), known, scorer=fuzz.ratio, score_cutoff=90)
        if match is not None:
            close.append((bare(text), match[0]))
    assert close == []
