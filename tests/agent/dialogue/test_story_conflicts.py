"""Stories that are alike and then part."""

from agent.dialogue import find_contradictions
from agent.project.types import Story
from tests.agent.dialogue.talk import domain, project, story


def warnings(*stories: Story) -> list[str]:
    given = project(domain(), rules=[], stories=list(stories))
    return [n.message for n in find_contradictions(given) if n.level == "warning"]


def test_stories_that_part_after_the_same_message_are_named_with_their_actions() -> None:
    (found,) = warnings(
        story("a", "?greet", "utter_greet"),
        story("b", "?greet", "utter_bye"),
        story("c", "?greet", "utter_bye"),
    )
    assert found.startswith("after intent 'greet' stories that are alike so far")
    assert "'utter_greet' in 'a'; 'utter_bye' in 'b', 'c'" in found


def test_stories_that_part_after_an_action_are_named() -> None:
    (found,) = warnings(
        story("a", "?greet", "utter_greet", "utter_bye"),
        story("b", "?greet", "utter_greet", "?bye", "utter_bye"),
    )
    assert found.startswith("after action 'utter_greet'")
    assert "'action_listen' in 'b'" in found


def test_many_stories_are_counted() -> None:
    many = [story(name, "?greet", "utter_bye") for name in "bcde"]
    (found,) = warnings(story("a", "?greet", "utter_greet"), *many)
    assert "'utter_bye' in 'b', 'c' and 2 more" in found


def test_what_happened_before_tells_stories_apart() -> None:
    first = story("a", "?bye", "utter_bye", "?greet", "utter_greet")
    assert warnings(first, story("b", "?greet", "utter_bye")) == []
    assert warnings(first, first) == []
