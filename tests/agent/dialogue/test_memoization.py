"""Remembered stories: exact recall, its window, and recall of what began later."""

from agent.dialogue import Tracker
from agent.dialogue.expansion import story_scripts
from agent.dialogue.memoization import MemoizationPolicy, memorize
from agent.dialogue.story_view import StoryView
from agent.project.types import Slot, Story
from tests.agent.dialogue.talk import Bot, domain, listened, project, ran, rule, says, slot, story

DOMAIN = domain(
    slots={"vegan": Slot("vegan", "bool"), "city": Slot("city", "text")}, actions=["action_x"]
)
HELLO_BYE = story("hello, bye", "?greet", "utter_greet", "?bye", "utter_bye")


def policy(
    *stories: Story, history: int | None = None, augmented: bool = False
) -> MemoizationPolicy:
    scripts = story_scripts(stories, DOMAIN)[0]
    memories = tuple(memorize(scripts, DOMAIN, history))
    return MemoizationPolicy(memories, StoryView(), history, augmented)


def recalled(policy: MemoizationPolicy, *events: object) -> str | None:
    memory = policy.recall(Tracker("test", DOMAIN, events))  # type: ignore[arg-type]
    return memory.action if memory else None


def test_a_story_is_recalled_word_for_word() -> None:
    remembers = policy(HELLO_BYE)
    talk = [listened(), says("greet"), ran("utter_greet"), listened(), says("bye")]
    assert recalled(remembers, *talk) == "utter_bye"
    assert recalled(remembers, *talk[:3]) == "action_listen"
    assert recalled(remembers, listened(), says("bye")) is None


def test_a_different_slot_makes_a_different_story() -> None:
    remembers = policy(HELLO_BYE)
    assert recalled(remembers, slot("vegan", True), listened(), says("greet")) is None


def test_only_the_latest_states_count_within_max_history() -> None:
    remembers = policy(HELLO_BYE, history=2)
    other = [listened(), says("chitchat"), ran("action_x"), listened(), says("greet")]
    assert recalled(remembers, *other) is None
    after = [listened(), says("chitchat"), ran("utter_greet"), listened(), says("bye")]
    assert recalled(remembers, *after) is None
    same_end = [listened(), says("stop"), listened(), says("greet"), ran("utter_greet"), listened()]
    assert recalled(remembers, *same_end, says("bye")) == "utter_bye"


def test_stories_that_disagree_teach_nothing() -> None:
    remembers = policy(story("a", "?greet", "utter_greet"), story("b", "?greet", "utter_done"))
    assert recalled(remembers, listened(), says("greet")) is None


def test_augmented_recall_forgets_what_came_before() -> None:
    talk = [slot("vegan", True), listened(), says("chitchat"), ran("action_x")]
    talk += [listened(), says("greet")]
    starts_later = story("late", "action_x", "?greet", "utter_greet")
    assert recalled(policy(starts_later), *talk) is None
    assert recalled(policy(starts_later, augmented=True), *talk) == "utter_greet"
    assert recalled(policy(starts_later, history=3, augmented=True), *talk) == "utter_greet"


def test_augmented_recall_keeps_slots_set_since_its_beginning() -> None:
    remembers = policy(story("late", "action_x", "?greet", "utter_greet"), augmented=True)
    talk = [listened(), says("chitchat"), ran("action_x"), slot("vegan", True), listened()]
    assert recalled(remembers, *talk, says("greet")) is None


def test_turns_of_rules_do_not_disturb_a_story() -> None:
    given = project(
        DOMAIN, rules=[rule("chitchat", "?chitchat", "utter_chitchat")], stories=[HELLO_BYE]
    )
    talk = Bot(given)
    assert talk.hear("greet") == ["utter_greet"]
    assert talk.hear("chitchat") == ["utter_chitchat"]
    assert talk.hear("bye") == ["utter_bye"]


def test_a_memory_names_its_story() -> None:
    talk = Bot(project(DOMAIN, stories=[HELLO_BYE]))
    talk.tracker.append(says("greet"))
    decision = talk.policies.decide(talk.tracker)
    assert (decision.policy, decision.reason) == ("MemoizationPolicy", "story 'hello, bye'")
