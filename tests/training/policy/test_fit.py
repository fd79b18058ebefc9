"""The learned policy: what it makes of stories, how it is stored, when it keeps silent."""

from pathlib import Path

import numpy as np
import pytest

from agent.dialogue.featurizer import State
from agent.dialogue.learned import (
    NETWORK_FILE,
    SPEC_FILE,
    LearnedPolicy,
    padded_ids,
    read_learned,
)
from agent.dialogue.tokens import state_tokens
from agent.errors import ModelError
from agent.project.types import Project, Slot
from tests.agent.dialogue.talk import domain, project, story
from training.policy.examples import Forgetting, story_turns, with_forgetful_copies
from training.policy.fit import (
    learned_policy,
    save_dialogue_policy,
    train_dialogue_policy,
    wants_learned_policy,
)
from training.testing.story_tests import check_stories

DOMAIN = domain(slots={"vegan": Slot("vegan", "bool"), "city": Slot("city", "text")})
STORIES = (
    story("a", "?greet", "utter_greet", "?order", "utter_done", "?bye", "utter_bye"),
    story("b", "?order", "utter_done", "?chitchat", "utter_chitchat"),
    story("c", "?greet", "utter_greet", "?chitchat", "utter_chitchat", "?bye", "utter_bye"),
)
PROJECT = project(DOMAIN, stories=STORIES)


def trained(given: Project = PROJECT) -> LearnedPolicy:
    policy = learned_policy(given)
    assert policy is not None
    return policy


def after(*words: str) -> list[State]:
    """States of a conversation in words: `?greet` is a message, anything else an action."""
    states, intent = [State()], None
    for word in words:
        if word.startswith("?"):
            intent = word[1:]
            states.append(State(intent=intent, action="action_listen"))
        else:
            states.append(State(intent=intent, action=word))
    return states


def test_it_knows_the_stories() -> None:
    found = trained().predict(after("?greet", "utter_greet", "?order"))
    assert found is not None
    assert found[0] == "utter_done"
    assert 0.5 < found[1] <= 1.0


def test_it_generalizes_to_an_order_that_no_story_shows() -> None:
    policy = trained()
    new = ["?bye", "utter_bye", "?chitchat", "utter_chitchat", "?order"]
    found = policy.predict(after(*new))
    assert found is not None
    assert found[0] == "utter_done"
    listens = policy.predict(after(*new, "utter_done"))
    assert listens is not None
    assert listens[0] == "action_listen"


def test_a_slot_that_no_story_sets_does_not_disturb_it() -> None:
    states = [s._replace(slots=(("vegan", (1.0, 1.0)),)) for s in after("?order")]
    found = trained().predict(states)
    assert found is not None
    assert found[0] == "utter_done"


def test_it_keeps_silent_about_an_intent_that_no_story_has() -> None:
    assert trained().predict(after("?stop")) is None
    assert trained().predict([]) is None


def test_where_an_action_declined_it_offers_the_next_best() -> None:
    states = after("?greet", "utter_greet", "?order")
    best, second = trained().predict(states), trained().predict(states, without="utter_done")
    assert best is not None
    assert second is not None
    assert (best[0], second[0] != "utter_done") == ("utter_done", True)
    assert second[1] < best[1]


def test_it_listens_after_an_answer_to_a_message_that_no_story_has() -> None:
    for answer in ("utter_greet", "utter_new"):
        found = trained().predict(after("?greet", "utter_greet", "?stop", answer))
        assert found is not None
        assert found[0] == "action_listen"


def test_a_story_in_a_new_order_passes_its_test_by_what_was_learned() -> None:
    new = story("new", "?chitchat", "utter_chitchat", "?bye", "utter_bye", "?order", "utter_done")
    assert check_stories(PROJECT, [new], lambda texts: []).failed == 0
    without = project(DOMAIN, stories=STORIES, names=("RulePolicy", "MemoizationPolicy"))
    assert check_stories(without, [new], lambda texts: []).failed == 1


def test_it_is_stored_and_read_again(tmp_path: Path) -> None:
    assert read_learned(tmp_path) is None
    assert save_dialogue_policy(PROJECT, tmp_path)
    again = read_learned(tmp_path)
    assert again is not None
    states = after("?greet", "utter_greet", "?bye")
    assert again.predict(states) == trained().predict(states)


def test_training_again_gives_the_same() -> None:
    assert train_dialogue_policy(PROJECT) == train_dialogue_policy(PROJECT)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (SPEC_FILE, b"{"),
        (SPEC_FILE, b'{"format": 1}'),
        (SPEC_FILE, b'{"format": 99}'),
        (NETWORK_FILE, b"no network"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, file: str, content: bytes) -> None:
    save_dialogue_policy(PROJECT, tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ModelError, match=r"train"):
        read_learned(tmp_path)


def test_a_truncated_network_is_refused(tmp_path: Path) -> None:
    save_dialogue_policy(PROJECT, tmp_path)
    whole = (tmp_path / NETWORK_FILE).read_bytes()
    (tmp_path / NETWORK_FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError):
        read_learned(tmp_path)


def test_projects_without_teds_policy_or_stories_have_none() -> None:
    assert wants_learned_policy(project(DOMAIN).config.policies)
    only_rules = project(DOMAIN, stories=STORIES, names=("RulePolicy",))
    assert train_dialogue_policy(only_rules) is None
    assert train_dialogue_policy(project(DOMAIN)) is None
    assert train_dialogue_policy(project(DOMAIN, names=("TEDPolicy",), stories=STORIES))


def test_copies_forget_but_never_replace_what_a_story_says() -> None:
    turns = story_turns(PROJECT, 5)
    weights = with_forgetful_copies(turns, Forgetting(weight=0.2), seed=1)
    assert all(weights[turn] == 1.0 for turn in turns)
    assert set(weights.values()) == {1.0, 0.2}
    assert {action for _, action in weights} == {action for _, action in turns}


def test_tokens_tell_a_state_and_what_came_before_it() -> None:
    state = State("order", None, ("city",), "action_listen", loop="pizza_form")
    state = state._replace(slots=(("vegan", (1.0, 0.0)),))
    assert state_tokens([State(action="utter_greet"), state])[1] == [
        "intent=order",
        "intent=order after action_listen",
        "entity=city",
        "loop=pizza_form",
        "slot vegan=1,0",
        "action=action_listen",
        "action=action_listen after utter_greet",
    ]


def test_ids_stand_at_the_end_and_leave_unknown_tokens_out() -> None:
    ids = padded_ids([["a", "x"], ["b", "a"]], {"a": 1, "b": 2}, 3)
    assert np.array_equal(ids, [[[0, 0], [1, 0], [2, 1]]])
    assert padded_ids([[]], {}, 2).shape == (1, 2, 1)


@pytest.mark.slow
def test_the_transformer_learns_what_the_linear_layer_does(tmp_path: Path) -> None:
    assert save_dialogue_policy(PROJECT, tmp_path, kind="transformer")
    policy = read_learned(tmp_path)
    assert policy is not None
    for words in (["?greet", "utter_greet", "?bye"], ["?bye", "utter_bye", "?order"]):
        found = policy.predict(after(*words))
        assert found is not None
        assert found[0] == trained().predict(after(*words))[0]  # type: ignore[index]
        assert found[1] > 0.5
    assert policy.predict(after("?stop")) is None
