"""The values of a YAML file: plain ones, and containers that know their lines."""

import re
from typing import Any

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBER_START = frozenset("+-.0123456789")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class YamlMap(dict[str, Any]):
    """A mapping: `line` is its own, `lines[key]` that of each key, all 1-based."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int = 0) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class YamlList(list[Any]):
    """A sequence: `line` is its own, `lines[i]` that of each item, all 1-based."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int = 0) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


class YamlText(str):
    """A block of text: `line` is the 1-based line on which its first line stands."""

    __slots__ = ("line",)
    line: int


class MissingVariable(str):
    """A text whose `${VAR}` is not in the environment; `name` is the variable's."""

    __slots__ = ("name",)
    name: str


def line_of(container: Any, key: Any = None, default: int = 0) -> int:
    """The line of `container[key]` (or of the container itself), `default` if unknown."""
    if isinstance(container, YamlMap) and key is not None:
        return container.lines.get(key, container.line or default)
    if isinstance(container, YamlList) and key is not None:
        return container.lines[key] if 0 <= key < len(container.lines) else default
    return getattr(container, "line", 0) or default


def plain(value: Any) -> Any:
    """The same value as plain dicts, lists and strings, fit for JSON."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def resolve(text: str) -> Any:
    """The value of a plain word in YAML 1.2's core schema: `yes`, `on` and dates are text.

    Infinity and not-a-number are text, too, for JSON knows neither.

    >>> resolve("yes"), resolve("true"), resolve("1e3"), resolve("0x1F"), resolve("~")
    ('yes', True, 1000.0, 31, None)
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    try:
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    except ValueError:  # more digits than Python converts
        return text
    return text
