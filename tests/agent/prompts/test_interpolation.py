from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.prompts.interpolation import fill, fill_text

VALUES = {
    "name": "Ada",
    "amount": 50.0,
    "empty": None,
    "my.slot": 1,
    "a b": "spaced",
    "tags": ["x"],
}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Hello {name}!", "Hello Ada!"),
        ("{amount} {name}", "50.0 Ada"),
        ("{empty}", "None"),
        ("{my.slot} {a b} {tags}", "1 spaced ['x']"),
        ("{{name}}", "{name}"),
        ("{{{name}}}", "{Ada}"),
        ("no braces", "no braces"),
        ("", ""),
        # A name that is not known leaves the whole text as it is.
        ("Hello {nobody} and {name}", "Hello {nobody} and {name}"),
        ('/pay{"amount": "5"}', '/pay{"amount": "5"}'),
        ('/pay{{"amount": "{amount}"}}', '/pay{"amount": "50.0"}'),
        ('/pay{"amount": "{amount}"}', '/pay{"amount": "50.0"}'),
        # No attribute, index or format of a value can be reached.
        ("{name.__class__}", "{name.__class__}"),
        ("{name[0]} {amount:.2f} {name!r}", "{name[0]} {amount:.2f} {name!r}"),
        ("a { lone brace", "a { lone brace"),
        ("two {\nlines}", "two {\nlines}"),
        ("{}", "{}"),
    ],
)
def test_placeholders_are_filled_as_in_rasa(template: str, filled: str) -> None:
    assert fill_text(template, VALUES) == filled


def test_lists_and_mappings_are_filled_at_any_depth_without_being_changed() -> None:
    template: Any = {"a": [{"b": "{name}", "{name}": 3}], "c": {"d": ["{amount}", None, True]}}
    assert fill(template, VALUES) == {
        "a": [{"b": "Ada", "{name}": 3}],
        "c": {"d": ["50.0", None, True]},
    }
    assert template["a"][0]["b"] == "{name}"


@given(st.text())
def test_what_a_user_said_is_never_read_as_a_template(said: str) -> None:
    assert fill_text("<{said}>", {"said": said, "secret": "!"}) == f"<{said}>"


@given(st.text())
def test_any_template_is_filled_or_left_without_a_crash(template: str) -> None:
    assert isinstance(fill_text(template, VALUES), str)
