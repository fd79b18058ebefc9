"""Fills `{slot}` placeholders of a response's texts, buttons and payloads, as Rasa does."""

import logging
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\{\{|\}\}|\{([^\n{}]+)\}")
_log = logging.getLogger(__name__)


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its placeholders filled, in strings at any depth of lists and mappings.

    The template is not changed; keys of mappings and values that are no strings stay.

    >>> fill([{"title": "Pay {amount}"}], {"amount": 5})
    [{'title': 'Pay 5'}]
    """
    if isinstance(template, str):
        return fill_text(template, values)
    if isinstance(template, Mapping):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill(value, values) for value in template]
    return template


def fill_text(template: str, values: Mapping[str, Any]) -> str:
    """The text with each `{name}` replaced by its value; `{{` and `}}` are literal braces.

    A slot without a value is written `None`. If a name is not known, the text comes back
    as it is, unfilled, and a warning is logged. Values are put in as they are: what a user
    typed is never read as a template.

    >>> fill_text('/pay{{"amount": "{amount}"}}', {"amount": 5})
    '/pay{"amount": "5"}'
    >>> fill_text("Hello {nobody}", {})
    'Hello {nobody}'
    """
    if "{" not in template and "}" not in template:
        return template
    for match in _TOKEN.finditer(template):
        name = match[1]
        if name is not None and name not in values:
            # A payload's `{"entity": "value"}` is no placeholder and nothing to warn of.
            level = logging.DEBUG if '"' in name else logging.WARNING
            _log.log(level, "no slot or argument named %r: %r is left as it is", name, template)
            return template
    return _TOKEN.sub(lambda match: _replacement(match, values), template)


def _replacement(match: re.Match[str], values: Mapping[str, Any]) -> str:
    name = match[1]
    return match[0][0] if name is None else str(values[name])
