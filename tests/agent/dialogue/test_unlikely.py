"""Out-of-line intents lead to `action_unlikely_intent` where something reacts to it."""

from agent.dialogue import compile_policies
from agent.project.types import Project
from tests.agent.dialogue.talk import Bot, domain, project, rule, story

DOMAIN = domain()
STORIES = [
    story("a", "?greet", "utter_greet", "?order", "utter_done"),
    story("b", "?greet", "utter_greet", "?bye", "utter_bye"),
]
REACTION = rule("odd", "action_unlikely_intent", "utter_chitchat")


def given(**config: object) -> Project:
    return project(DOMAIN, rules=[REACTION], stories=STORIES, **config)


def test_an_intent_that_no_story_expects_here_is_noticed() -> None:
    talk = Bot(given())
    assert talk.hear("greet") == ["utter_greet"]
    assert talk.hear("greet") == ["action_unlikely_intent", "utter_chitchat"]


def test_an_expected_or_unknown_intent_is_not_noticed() -> None:
    talk = Bot(given())
    talk.hear("greet")
    assert talk.hear("order") == ["utter_done"]
    assert talk.hear("stop") == ["action_default_fallback"]


def test_stories_go_on_as_if_it_had_not_been_noticed() -> None:
    talk = Bot(project(DOMAIN, rules=[REACTION], stories=STORIES, memoization_max_history=2))
    talk.hear("greet")
    talk.hear("greet")
    assert talk.tracker.latest_action_name == "action_listen"
    assert talk.policies.decide(talk.tracker).action != "action_unlikely_intent"


def test_nothing_is_noticed_where_nothing_reacts_or_the_policy_is_not_wanted() -> None:
    assert compile_policies(project(DOMAIN, stories=STORIES)).expected_intents == {}
    without = given(names=("RulePolicy", "MemoizationPolicy"))
    assert compile_policies(without).expected_intents == {}
    assert "utter_greet" in compile_policies(given()).expected_intents
