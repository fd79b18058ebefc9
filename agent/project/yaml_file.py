"""YAML 1.2 text to plain values that know their lines.  [door: ruamel.yaml]

Events of the C parser are built into values here; the much slower pure parser runs only
where the C one is missing, or to have the last word on text that the C one refuses.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import YAMLError

from agent.project.findings import Source
from agent.project.yaml_values import MissingVariable, YamlList, YamlMap, YamlText, resolve

try:
    from _ruamel_yaml import CParser  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # no wheel of ruamel.yaml.clib for this Python: ten times slower
    CParser = None

MAX_DEPTH = 100
MAX_VALUES = 5_000_000

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = {_CORE + name for name in ("int", "float", "bool", "null", "map", "seq")}
_TEXT_TAGS = {_CORE + "str", "!"}
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _BrokenError(Exception):
    """The text is YAML, but none that we read; reported at `line`."""

    def __init__(self, message: str, line: int) -> None:
        self.line = line
        super().__init__(message)


def read_yaml(source: Source, *, environment: bool = False) -> Any:
    """The value of a YAML file; None (reported) if it cannot be read.

    Args:
        source: the file, and where errors are reported.
        environment: `${VAR}` is filled in quoted text, too, and a text whose variable is not
            set becomes a MissingVariable; otherwise only plain words are filled, and a
            missing one stays as it stands (reported).
    """
    text = read_text(source)
    return None if text is None else parse_yaml(text, source, environment=environment)


def read_text(source: Source) -> str | None:
    """A file's text; None (reported) if it cannot be read or is not UTF-8."""
    try:
        data = source.file.read_bytes()
    except OSError as error:
        source.error(f"cannot be read: {error.strerror}")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        source.error(f"is not UTF-8 text (byte {data[error.start]:#04x}): save it as UTF-8", line)
        return None


def parse_yaml(text: str, source: Source, *, environment: bool = False) -> Any:
    """The value of a YAML text; None (reported) if it is broken. See `read_yaml`."""
    if text.isascii() and ("\\u" in text or "\\U" in text):
        text = _unescape(text)
    if CParser is not None:
        try:
            return _Builder(source, environment).build(_fast_events(text))
        except (YAMLError, ValueError):
            pass  # the pure parser knows YAML 1.2 better and says what is wrong
        except _BrokenError as error:
            source.error(str(error), error.line)
            return None
    try:
        return _Builder(source, environment).build(_pure_events(text))
    except _BrokenError as error:
        source.error(str(error), error.line)
    except YAMLError as error:
        source.error(f"broken YAML: {_problem(error)}", _error_line(error, text))
    except ValueError as error:
        source.error(f"broken YAML: {error}")
    return None


def _unescape(text: str) -> str:
    """Rasa reads `\\u1234` in an all-ASCII file as that character, wherever it stands."""

    def character(match: re.Match[str]) -> str:
        code = int(match[1] or match[2], 16)
        return chr(code) if code <= 0x10FFFF else match[0]

    return _join_surrogates(_ESCAPED.sub(character, text))


def _join_surrogates(text: str) -> str:
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _fast_events(text: str) -> Iterator[Any]:
    parser = CParser(text)
    while True:
        event = parser.get_event()
        yield event
        if isinstance(event, ev.StreamEndEvent):
            return


def _pure_events(text: str) -> Iterator[Any]:
    yield from YAML(typ="safe", pure=True).parse(text)


# What people mostly did where the parser says so.
_HINTS = {
    "'\\t'": ": indent with spaces, not tabs",
    "mapping values are not allowed": ": put a text with `: ` in quotes",
    "cannot start any token": ": put the text in quotes",
    "expected <block end>, but found": ": put a text that begins with or holds [ { or a quote in "
    "quotes, or write the examples below `|`",
}


def _problem(error: YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    context = getattr(error, "context", None)
    hint = next((told for sign, told in _HINTS.items() if sign in str(problem)), "")
    return (f"{problem} ({context})" if context else str(problem)) + hint


def _error_line(error: YAMLError, text: str) -> int:
    problem, context = (getattr(error, name, None) for name in ("problem_mark", "context_mark"))
    # What is still open at the end of the text is at fault where it began.
    at_end = "end of stream" in str(getattr(error, "problem", ""))
    mark = (context or problem) if at_end else (problem or context)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 0


class _Frame:
    """A container that is being filled; `size` counts its values with aliases expanded."""

    __slots__ = ("anchor", "container", "key", "key_line", "merges", "size")

    def __init__(self, container: YamlMap | YamlList, anchor: str | None) -> None:
        self.container, self.anchor = container, anchor
        self.key: str | None = None
        self.key_line = 0
        self.merges: list[Any] = []
        self.size = 1


class _Builder:
    """Turns a stream of YAML events into one value, without recursion."""

    def __init__(self, source: Source, environment: bool) -> None:
        self.source, self.environment = source, environment
        self.frames: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.root: Any = None
        self.documents = 0

    def build(self, events: Iterator[Any]) -> Any:
        """The single document's value, None for an empty text."""
        steps = {
            ev.ScalarEvent: self._scalar,
            ev.MappingStartEvent: self._open,
            ev.SequenceStartEvent: self._open,
            ev.MappingEndEvent: self._close,
            ev.SequenceEndEvent: self._close,
            ev.AliasEvent: self._alias,
            ev.DocumentStartEvent: self._document,
        }
        for event in events:
            step = steps.get(type(event))
            if step is not None:
                step(event)
        return self.root

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            line = event.start_mark.line + 1
            raise _BrokenError("a second YAML document (`---`): one file holds one document", line)

    def _open(self, event: Any) -> None:
        line = event.start_mark.line + 1
        frame = self.frames[-1] if self.frames else None
        if frame is not None and frame.key is None and isinstance(frame.container, YamlMap):
            raise _BrokenError("a key cannot be a list or mapping: put it in quotes", line)
        if len(self.frames) >= MAX_DEPTH:
            raise _BrokenError(f"nested deeper than {MAX_DEPTH} levels", line)
        mapping = isinstance(event, ev.MappingStartEvent)
        self.frames.append(_Frame(YamlMap(line) if mapping else YamlList(line), event.anchor))

    def _close(self, event: Any) -> None:
        frame = self.frames.pop()
        if isinstance(frame.container, YamlMap):
            for merged in frame.merges:
                _merge(frame.container, merged)
        if frame.anchor:
            self.anchors[frame.anchor] = (frame.container, frame.size)
        self._add(frame.container, frame.size, frame.container.line)

    def _alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if event.anchor not in self.anchors:
            raise _BrokenError(f"`*{event.anchor}` names no anchor that stands before it", line)
        value, size = self.anchors[event.anchor]
        self._add(value, size, line)

    def _scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        frame = self.frames[-1] if self.frames else None
        if frame is not None and frame.key is None and isinstance(frame.container, YamlMap):
            frame.key, frame.key_line = event.value, line
            return
        value = self._value(event, line)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self._add(value, 1, line)

    def _add(self, value: Any, size: int, line: int) -> None:
        if not self.frames:
            self.root = value
            return
        frame = self.frames[-1]
        frame.size += size
        if frame.size > MAX_VALUES:
            raise _BrokenError(f"more than {MAX_VALUES} values (aliases counted)", line)
        if isinstance(frame.container, YamlList):
            frame.container.append(value)
            frame.container.lines.append(line)
        elif frame.key is None:
            frame.key, frame.key_line = str(value), line
        else:
            self._add_to_map(frame, frame.container, frame.key, value)
            frame.key = None

    def _add_to_map(self, frame: _Frame, mapping: YamlMap, key: str, value: Any) -> None:
        if key == "<<" and isinstance(value, dict | list):
            frame.merges.extend(value if isinstance(value, list) else [value])
            return
        if key in mapping:
            first = mapping.lines[key]
            message = f"the key stands here twice (first in line {first}): remove or merge one"
            self.source.error(message, frame.key_line, key)
        mapping[key] = value
        mapping.lines[key] = frame.key_line

    def _value(self, event: Any, line: int) -> Any:
        text: str = event.value
        tag = event.tag
        if tag is not None and str(tag) not in _CORE_TAGS:
            if str(tag) not in _TEXT_TAGS:
                raise _BrokenError(f"the tag {str(tag)!r} is not supported: remove it", line)
            return text
        if event.style in (None, ""):
            return self._fill(text, line) if "${" in text else resolve(text)
        if event.style in "|>":
            block = YamlText(text)
            block.line = line + 1
            return block
        text = _join_surrogates(text)
        return self._fill(text, line) if self.environment and "${" in text else text

    def _fill(self, text: str, line: int) -> str:
        """The text with `${VAR}` filled from the environment."""
        missing = [name for name in _VARIABLE.findall(text) if name not in os.environ]
        filled = _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)
        if not missing:
            return filled
        if self.environment:
            marked = MissingVariable(filled)
            marked.name = missing[0]
            return marked
        self.source.warning(
            f"the environment variable {missing[0]} is not set: the text stays as it stands", line
        )
        return filled


def _merge(target: YamlMap, merged: Any) -> None:
    """Add what a YAML merge key (`<<`) brings and the mapping does not say itself."""
    if isinstance(merged, YamlMap):
        for key, value in merged.items():
            if key not in target:
                target[key] = value
                target.lines[key] = merged.lines.get(key, merged.line)
