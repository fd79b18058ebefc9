"""The domain sections of many files, merged by name into one."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from agent.project.findings import Source
from agent.project.yaml_values import line_of

LIST_SECTIONS = ("intents", "entities", "actions", "e2e_actions")
MAP_SECTIONS = ("slots", "forms", "responses")
VALUE_SECTIONS = ("config", "session_config")
# Older names of the same things.
RENAMED = {"templates": "responses"}
DOMAIN_KEYS = {*LIST_SECTIONS, *MAP_SECTIONS, *VALUE_SECTIONS, *RENAMED}


@dataclass
class Entry:
    """One named thing of the domain: its properties and where they stand."""

    name: str
    value: Any
    source: Source
    line: int = 0

    def error(self, message: str, section: str, key: str = "", line: int = 0) -> None:
        """Report an error of this thing."""
        dotted = ".".join(part for part in (section, self.name, key) if part)
        self.source.error(message, line or self.line, dotted)

    def flag(self, data: Any, name: str, default: bool, section: str) -> bool:
        """The true or false under a name; anything else is reported."""
        value = data.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        message = f"is true or false, not {value!r}"
        self.error(message, section, name, line_of(data, name, self.line))
        return default

    def report_unknown(self, data: Any, known: Collection[str], section: str) -> None:
        """Name the keys that nobody reads."""
        for name in data:
            if name not in known:
                message = f"the key {name!r} is unknown and not read"
                self.warning(message, section, line=line_of(data, name, self.line))

    def warning(self, message: str, section: str, key: str = "", line: int = 0) -> None:
        """Report a warning about this thing."""
        dotted = ".".join(part for part in (section, self.name, key) if part)
        self.source.warning(message, line or self.line, dotted)


@dataclass
class MergedDomain:
    """Each section as name → Entry, in the order of the files."""

    sections: dict[str, dict[str, Entry]] = field(
        default_factory=lambda: {name: {} for name in LIST_SECTIONS + MAP_SECTIONS}
    )
    values: dict[str, dict[str, Entry]] = field(
        default_factory=lambda: {name: {} for name in VALUE_SECTIONS}
    )

    def __getitem__(self, section: str) -> dict[str, Entry]:
        return self.sections[section]


def merge_domain(data: dict[str, Any], source: Source, into: MergedDomain) -> None:
    """Add the domain sections of one file; wrong shapes and doublets are reported."""
    for key, content in data.items():
        section = RENAMED.get(key, key)
        line = line_of(data, key)
        if section != key:
            source.info_once(f"1.x layout: `{key}:` is read as `{section}:`", line)
        if content is None:
            continue
        if section in LIST_SECTIONS:
            _merge_list(section, content, source, into.sections[section], line)
        elif section in MAP_SECTIONS:
            _merge_map(section, content, source, into.sections[section], line)
        elif section in VALUE_SECTIONS:
            if isinstance(content, dict):
                _merge_map(section, content, source, into.values[section], line)
            else:
                source.error(f"must be a mapping, not {content!r}", line, section)


def _merge_list(
    section: str, content: Any, source: Source, target: dict[str, Entry], line: int
) -> None:
    if isinstance(content, dict) and section in ("intents", "entities"):
        content = [{name: value} if value else name for name, value in content.items()]
    if not isinstance(content, list):
        source.error(f"must be a list, not {_shown(content)}", line, section)
        return
    for i, item in enumerate(content):
        at = line_of(content, i, line)
        pairs = item.items() if isinstance(item, dict) else [(item, None)]
        for name, value in pairs:
            if not isinstance(name, str) or not name.strip():
                hint = "put it in quotes" if name is not None else "remove it or give it a name"
                source.error(f"{_shown(name)} is no name: {hint}", at, f"{section}[{i}]")
                continue
            _add(section, Entry(name.strip(), value, source, at), target)


def _merge_map(
    section: str, content: Any, source: Source, target: dict[str, Entry], line: int
) -> None:
    if isinstance(content, list) and section == "forms":
        _merge_list(section, content, source, target, line)
        return
    if isinstance(content, list) and not content:
        return
    if not isinstance(content, dict):
        source.error(f"must be a mapping, not {_shown(content)}", line, section)
        return
    for name, value in content.items():
        entry = Entry(str(name), value, source, line_of(content, name, line))
        _add(section, entry, target)


def _add(section: str, entry: Entry, target: dict[str, Entry]) -> None:
    known = target.get(entry.name)
    if known is not None and (known.value != entry.value or known.source is entry.source):
        place = f"{known.source.path}:{known.line}"
        counts = "the later one counts" if known.value != entry.value else "remove one"
        entry.warning(f"stands in the domain twice (first in {place}): {counts}", section)
    target[entry.name] = entry


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
