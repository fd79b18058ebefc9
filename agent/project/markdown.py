"""Rasa 1.x Markdown: training data, stories and tests, read as what YAML says since 2.0."""

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from agent.project.domain_merge import Entry, MergedDomain
from agent.project.findings import Source
from agent.project.nlu_reader import NluBuilder
from agent.project.steps import action_step, marked_text, user_step
from agent.project.types import (
    CheckpointStep,
    LoopStep,
    OrStep,
    Place,
    SlotStep,
    Step,
    StepEntity,
    Story,
    UserStep,
)
from agent.project.yaml_file import read_text
from agent.project.yaml_values import YamlList

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SECTION = re.compile(r"##\s*(intent|synonym|regex|lookup)\s*:\s*(.+)")
_RESPONSE = re.compile(r"[^\s/{}]+/[^\s/{}]+")
_EVENT = re.compile(r"(?P<name>[^{}]+?)\s*(?P<data>\{.*\})?\s*$")
_OTHER_EVENTS = {
    *("restart", "reset_slots", "followup", "undo", "rewind", "export", "pause", "resume"),
    *("reminder", "cancel_reminder", "agent", "session_started", "action_execution_rejected"),
}
"""Events that 1.x wrote into stories beside slots and forms; no policy learned from them."""
_MESSAGE = re.compile(r"(?P<name>[^{}@:]+)(?:@[0-9.]+)?")
_OR = re.compile(r"\s+OR\s+")


@dataclass
class _Reader:
    source: Source
    nlu: NluBuilder
    tests: bool = False
    stories: list[Story] = field(default_factory=list)
    section: tuple[str, str] | None = None
    name: str = ""
    place: Place = field(default_factory=Place)
    steps: list[Step] = field(default_factory=list)

    def end_story(self) -> None:
        if self.steps:
            self.stories.append(Story(self.name, tuple(self.steps), self.place))
        self.steps = []


def read_markdown(source: Source, into: NluBuilder, domain: MergedDomain) -> list[Story]:
    """Add a Markdown file's training data or retrieval responses, and give its stories.

    Markdown without a section of Rasa's is left alone.
    """
    text = read_text(source)
    if text is None or not re.search(r"^##\s", text, re.MULTILINE):
        return []
    source.info_once("1.x layout: Markdown is read; convert it to YAML to keep it")
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    if _holds_responses(text):
        _read_responses(text, source, domain)
        return []
    reader = _Reader(source, into)
    for number, raw in enumerate(text.split("\n"), start=1):
        _read_line(raw.strip(), number, reader)
    reader.end_story()
    return reader.stories


def read_markdown_tests(source: Source) -> list[Story]:
    """The test stories of a Markdown file: `* intent: what was said`."""
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), read_text(source) or "")
    reader = _Reader(source, NluBuilder(), tests=True, name=source.file.stem)
    for number, raw in enumerate(text.split("\n"), start=1):
        _read_line(raw.strip(), number, reader)
    reader.end_story()
    return reader.stories


def _holds_responses(text: str) -> bool:
    """Whether each `*` names a retrieval intent and some `-` is a sentence, not an action."""
    lines = [line.strip() for line in text.split("\n")]
    named = [line[1:].strip() for line in lines if line.startswith("*")]
    sentences = any(line.startswith("-") and " " in line[1:].strip() for line in lines)
    return bool(named) and sentences and all(_RESPONSE.fullmatch(name) for name in named)


def _read_responses(text: str, source: Source, domain: MergedDomain) -> None:
    """The answers of retrieval intents: `* faq/key`, then a `- text` for each variation."""
    variations: YamlList | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if line.startswith("*"):
            name = "utter_" + line[1:].strip()
            variations = YamlList(number)
            domain["responses"][name] = Entry(name, variations, source, number)
        elif line.startswith("-") and variations is not None:
            variations.append({"text": line[1:].strip().replace("\\n", "\n")})
            variations.lines.append(number)


def _read_line(line: str, number: int, reader: _Reader) -> None:
    section = _SECTION.fullmatch(line)
    if section:
        reader.end_story()
        reader.section = (section[1], section[2].strip())
    elif line.startswith("###") and reader.section is not None:
        return  # a heading that orders the examples of a section, as 1.x read it
    elif line.startswith("##") or (line.startswith("#") and reader.section is None):
        reader.end_story()
        reader.section = None
        reader.name, reader.place = line.lstrip("# ").strip(), reader.source.place(number)
    elif line.startswith("# ") or not line:
        return
    elif reader.section is not None:
        _read_item(line, number, reader)
    else:
        _read_step(line, number, reader)


def _read_item(line: str, number: int, reader: _Reader) -> None:
    """One line of a training data section."""
    kind, name = reader.section or ("", "")
    if not line.startswith(("-", "*", "+")):
        if kind == "lookup":
            reader.nlu.add_lookup_file(line, name, reader.source, number)
        else:
            reader.source.warning(f"a line without `-` is not read: {line[:60]!r}", number, name)
        return
    text = line[1:].strip()
    if kind == "intent":
        reader.nlu.add_example(text, name, reader.source, number)
    elif kind == "synonym":
        reader.nlu.add_synonym(text, name, reader.source, number)
    else:
        target = reader.nlu.regexes if kind == "regex" else reader.nlu.lookups
        target.setdefault(name, []).append(text)


def _read_step(line: str, number: int, reader: _Reader) -> None:
    """One line of a story."""
    if line.startswith(">"):
        reader.steps.append(CheckpointStep(line[1:].strip(), line=number))
    elif line.startswith("*"):
        step = _user(line[1:].strip(), number, reader)
        if step is not None:
            reader.steps.append(step)
    elif line.startswith("-"):
        reader.steps += _events(line[1:].strip(), number, reader.source)
    else:
        reader.source.warning(f"a line that is no step is not read: {line[:60]!r}", number)


def _user(said: str, line: int, reader: _Reader) -> Step | None:
    """`greet`, `inform{"city": "Rome"}`, `greet: hi [Ann](name)`, and several with `OR`."""
    said = re.sub(r"^form:\s*", "", said)  # what was said while a form was active
    parts = _OR.split(said)
    if ":" in parts[0] and not all(_text_of(part) for part in parts):
        parts = [said]  # the OR is a word of what was said
    messages = [_message(part.strip(), line, reader) for part in parts]
    steps = [message for message in messages if message is not None]
    if len(steps) < len(messages):
        return None
    return steps[0] if len(steps) == 1 else OrStep(tuple(steps), line)


def _message(said: str, line: int, reader: _Reader) -> UserStep | None:
    """One message; its text stands in test stories only, its entities in all."""
    match = _MESSAGE.match(said)
    if match is None:
        reader.source.error(f"is no user message: {said!r}", line)
        return None
    name, text = match["name"].strip(), _text_of(said)
    if text:
        shown, entities = marked_text(text, reader.source, name, line)
        if reader.tests:
            return user_step(name, entities, shown, line)
        entities = tuple(replace(entity, start=None, end=None) for entity in entities)
    else:
        data = _data(said[match.end() :].strip(" :"), line, reader.source)
        entities = tuple(StepEntity(key, value) for key, value in data.items())
    return user_step(name, entities, None, line)


def _text_of(said: str) -> str:
    """What stands after `intent:` or `intent{"entity": "value"}:`."""
    match = _MESSAGE.match(said)
    rest = said[match.end() :] if match else ""
    if rest.startswith("{"):
        try:
            rest = rest[json.JSONDecoder().raw_decode(rest)[1] :]
        except ValueError:
            return ""
    return rest.lstrip()[1:].strip() if rest.lstrip().startswith(":") else ""


def _data(text: str | None, line: int, source: Source) -> dict[str, Any]:
    try:
        data = json.loads(text) if text else {}
    except ValueError:
        data = None
    if isinstance(data, dict):
        return data
    source.error(f"{text} is no JSON object", line)
    return {}


def _events(text: str, line: int, source: Source) -> list[Step]:
    """`utter_greet`, `slot{"city": "Rome"}`, `form{"name": "f"}`, `form: utter_x`."""
    match = _EVENT.match(text)
    if match is None:
        source.error(f"is no action: {text!r}", line)
        return []
    name, data = match["name"].strip(), _data(match["data"], line, source)
    if name in _OTHER_EVENTS:
        source.info_once(f"1.x layout: events in stories such as `{name}` are not learned", line)
        return []
    if name == "slot":
        return [SlotStep(key, value, line=line) for key, value in data.items()]
    if name in ("form", "active_loop"):
        return [LoopStep(data.get("name"), line)]
    return [action_step(name.removeprefix("form:").strip(), source, line)]
