from xml.etree import ElementTree

from agent.dialogue.story_graph import story_tree
from agent.dialogue.story_picture import html_page, svg_picture
from agent.project.types import LoopStep, OrStep, Story, UserStep
from tests.agent.dialogue.talk import rule, steps, story


def texts(picture: str) -> list[str | None]:
    root = ElementTree.fromstring(picture)
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_stories_that_begin_alike_share_their_beginning() -> None:
    tree = story_tree([story("a", "?greet", "utter_greet"), story("b", "?greet", "utter_bye")])
    (greet,) = tree.children.values()
    assert [child.label for child in greet.children.values()] == ["utter_greet", "utter_bye"]
    assert [child.stories for child in greet.children.values()] == [["a"], ["b"]]


def test_each_alternative_is_a_way_of_its_own_and_endless_ones_end() -> None:
    either = OrStep((UserStep("greet"), UserStep("bye")))
    tree = story_tree([Story("a", (either, *steps("utter_greet")))])
    assert [child.label for child in tree.children.values()] == ["greet", "bye"]
    assert story_tree([Story("many", (either,) * 40)]).children


def test_a_rules_conditions_come_first() -> None:
    tree = story_tree([rule("r", "?greet", "utter_greet", conditions=(LoopStep(None),))])
    assert [child.label for child in tree.children.values()] == ["no loop"]


def test_the_picture_names_every_step_and_story_and_escapes_them() -> None:
    picture = svg_picture({"Stories": story_tree([story("<b>&", "?greet", "utter_greet")])})
    assert {"Stories", "greet", "utter_greet", "■ <b>&"} <= set(texts(picture))
    assert "<script" not in html_page("<script>", picture)


def test_very_long_stories_can_be_drawn() -> None:
    words = [f"utter_{n}" for n in range(3000)]
    assert len(texts(svg_picture({"Stories": story_tree([story("long", *words)])}))) > 3000
