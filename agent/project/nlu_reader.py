"""The `nlu` section of Rasa's YAML: examples, synonyms, regexes and lookups."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.project.findings import Source
from agent.project.markup import scan_markup
from agent.project.types import Example, NluData
from agent.project.yaml_values import YamlText, line_of, plain

KINDS = ("intent", "synonym", "regex", "lookup")
_NO_LABELS: Mapping[str, str] = {}


@dataclass
class NluBuilder:
    """Gathers training data from many files."""

    examples: list[Example] = field(default_factory=list)
    synonyms: dict[str, str] = field(default_factory=dict)
    regexes: dict[str, list[str]] = field(default_factory=dict)
    lookups: dict[str, list[str]] = field(default_factory=dict)
    intent_metadata: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def build(self) -> NluData:
        """All that was gathered."""
        return NluData(
            examples=tuple(self.examples),
            synonyms=dict(self.synonyms),
            regexes={name: tuple(patterns) for name, patterns in self.regexes.items()},
            lookups={name: tuple(words) for name, words in self.lookups.items()},
            intent_metadata=dict(self.intent_metadata),
        )

    def add_synonym(self, spelling: str, value: Any, source: Source, line: int) -> None:
        """Map a spelling (any case) to its value; two values for one spelling are reported."""
        key = spelling.lower()
        known = self.synonyms.get(key)
        if known is not None and known != str(value):
            source.warning(
                f"{spelling!r} is a synonym of {known!r} and of {value!r}: the later one counts",
                line,
            )
        self.synonyms[key] = str(value)

    def add_lookup_file(self, path: str, name: str, source: Source, line: int) -> None:
        """Add the words of a lookup table's own file, one a line, as 1.x has them."""
        words = _file_lines(path, source)
        if words is None:
            source.warning(f"the lookup file {path!r} is not there", line, name)
        else:
            self.lookups.setdefault(name, []).extend(words)

    def add_example(
        self,
        raw: str,
        intent: str | None,
        source: Source,
        line: int,
        labels: Mapping[str, str] = _NO_LABELS,
    ) -> None:
        """Add an annotated text; markup values become synonyms, as in Rasa."""
        marked = scan_markup(raw)
        key = intent or ""
        for problem in marked.problems:
            source.error(problem, line, key)
        for doubt in marked.doubts:
            source.warning(doubt, line, key)
        if not marked.text.strip():
            source.warning("an example is empty: it is left out", line, key)
            return
        for entity in marked.entities:
            word = marked.text[entity.start : entity.end]
            if isinstance(entity.value, str) and entity.value != word:
                self.add_synonym(word, entity.value, source, line)
        base, _, rest = key.partition("/")
        self.examples.append(
            Example(
                text=marked.text,
                intent=base or None,
                entities=marked.entities,
                response=intent if rest else None,
                labels=labels,
                place=source.place(line),
            )
        )


def read_nlu(items: Any, source: Source, into: NluBuilder, line: int = 0) -> None:
    """Read the list under `nlu:`; what is wrong is reported with its line."""
    if items is None:
        return
    if not isinstance(items, list):
        source.error("must be a list of `- intent: …` items", line, "nlu")
        return
    for i, item in enumerate(items):
        at = line_of(items, i)
        if not isinstance(item, dict):
            source.error(f"must be a mapping like `intent: …`, not {item!r}", at, f"nlu[{i}]")
            continue
        kind = next((kind for kind in KINDS if kind in item), None)
        if kind is None:
            keys = ", ".join(map(repr, item)) or "nothing"
            known = ", ".join(KINDS)
            source.error(f"has {keys}, but needs one of {known}", at, f"nlu[{i}]")
            continue
        _read_item(kind, item, source, into, at)


def _read_item(kind: str, item: Any, source: Source, into: NluBuilder, line: int) -> None:
    name = item[kind]
    if not isinstance(name, str) or not name.strip():
        hint = "is empty" if name in (None, "") else f"is {name!r}: put the name in quotes"
        source.error(f"the name {hint}", line_of(item, kind, line), kind)
        return
    name = name.strip()
    _report_unknown_keys(item, kind, name, source)
    if kind == "intent":
        _read_intent(name, item, source, into, line)
        return
    lines = list(_lines(item, f"{kind} {name}", source, line))
    for text, at in lines:
        if kind == "synonym":
            into.add_synonym(text, name, source, at)
        else:
            target = into.regexes if kind == "regex" else into.lookups
            target.setdefault(name, []).append(text)


def _report_unknown_keys(item: Any, kind: str, name: str, source: Source) -> None:
    known = {kind, "examples", "metadata", "elements" if kind == "lookup" else "examples"}
    for key in item:
        if key not in known:
            source.warning(
                f"the key {key!r} is unknown here and not read",
                line_of(item, key),
                f"{kind} {name}",
            )


def _read_intent(name: str, item: Any, source: Source, into: NluBuilder, line: int) -> None:
    metadata = item.get("metadata")
    if metadata is not None:
        value = metadata if isinstance(metadata, dict) else {"value": metadata}
        into.intent_metadata[name] = plain(value)
    labels = _labels(metadata, source, line_of(item, "metadata", line), name)
    examples = item.get("examples")
    if not examples and into.intent_metadata.get(name, {}).get("description"):
        return
    if isinstance(examples, list):
        _read_example_list(name, examples, labels, source, into)
        return
    for text, at in _lines(item, name, source, line):
        into.add_example(text, name, source, at, labels)


def _read_example_list(
    name: str, examples: Any, labels: Mapping[str, str], source: Source, into: NluBuilder
) -> None:
    if not examples:
        source.warning("has no examples", line_of(examples), name)
    for i, example in enumerate(examples):
        at = line_of(examples, i)
        if isinstance(example, str):
            into.add_example(example.strip(), name, source, at, labels)
            continue
        text = example.get("text") if isinstance(example, dict) else None
        if not isinstance(text, str):
            source.error(f"an example needs `text: …`, not {plain(example)!r}", at, name)
            continue
        own = _labels(example.get("metadata"), source, at, name)
        at = text.line if isinstance(text, YamlText) else line_of(example, "text", at)
        into.add_example(text.strip(), name, source, at, {**labels, **own})


def _labels(metadata: Any, source: Source, line: int, key: str) -> Mapping[str, str]:
    """The further heads named by example or intent metadata `labels: {head: label}`."""
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if labels is None:
        return _NO_LABELS
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        source.error("metadata `labels` must map each head to one label", line, key)
        return _NO_LABELS
    return {str(head): str(label) for head, label in labels.items()}


def _lines(item: Any, key: str, source: Source, line: int) -> Iterator[tuple[str, int]]:
    """The (text, line) of each `- text` line of an item's examples."""
    name = "elements" if "elements" in item and "examples" not in item else "examples"
    examples = item.get(name)
    at = line_of(item, name, line)
    if examples is None or examples == "":
        source.warning("has no examples", at, key)
        return
    if isinstance(examples, list):
        for i, text in enumerate(examples):
            if isinstance(text, str):
                yield text.strip(), line_of(examples, i, at)
            else:
                source.error(
                    f"an item must be text, not {plain(text)!r}", line_of(examples, i), key
                )
        return
    if not isinstance(examples, str):
        source.error(f"`{name}` must be a block of `- text` lines (`{name}: |`)", at, key)
        return
    yield from _block_lines(examples, key, source, at)


def _block_lines(block: str, key: str, source: Source, line: int) -> Iterator[tuple[str, int]]:
    first = block.line if isinstance(block, YamlText) else line
    listed = _listed_file(block, source)
    if listed is not None:
        yield from ((text, line) for text in listed)
        return
    for i, raw in enumerate(block.split("\n")):
        text = raw.strip()
        if text.startswith("-"):
            yield text[1:].strip(), first + i
        elif text and not text.startswith("#"):
            shown = text[:60]
            source.warning(
                f"a line that does not start with `-` is not read: {shown!r}", first + i, key
            )


def _listed_file(block: str, source: Source) -> list[str] | None:
    """The lines of the file that a lookup names instead of listing its words."""
    name = block.strip()
    if "\n" in name or name.startswith("-") or not name.endswith((".txt", ".csv", ".lst")):
        return None
    return _file_lines(name, source)


def _file_lines(name: str, source: Source) -> list[str] | None:
    """The items of a list in a file of its own, which is named from the project or beside it."""
    for folder in (source.file.parent, source.root):
        path = folder / name
        if path.is_file():
            text = path.read_text(encoding="utf-8-sig", errors="replace")
            return [line.strip().removeprefix("- ") for line in text.splitlines() if line.strip()]
    return None
