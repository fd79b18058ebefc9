"""Corrections out of and into files: Rasa's nlu.yml, examples as JSONL, whole corrections."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from unicodedata import category

from agent.errors import InputError
from agent.feedback.correction import Correction, check
from agent.feedback.correction_json import entity_to_dict, from_dict, parse_entities, to_dict
from agent.feedback.label_tools import (
    Labelled,
    argilla,
    label_studio,
    read_argilla,
    read_label_studio,
)
from agent.feedback.names import NO_NAMES, NameLabels, without_names
from agent.feedback.submission import Author, Said, draft, valued
from agent.project import load_nlu, parse_markup
from agent.project.types import EntityAnnotation, Example
from agent.turn import FALLBACK_INTENT

Format = Literal["rasa", "jsonl", "corrections", "label-studio", "argilla"]
FORMATS: tuple[Format, ...] = ("rasa", "jsonl", "corrections", "label-studio", "argilla")


@dataclass(frozen=True, slots=True)
class Export:
    """A file's text, how many corrections are in it, and why others (by id) are not."""

    text: str
    count: int
    left_out: dict[str, str]


def export(
    corrections: Iterable[Correction], form: Format, *, names: NameLabels = NO_NAMES
) -> Export:
    """Corrections in one of the formats.

    `rasa` is an nlu.yml, `jsonl` our examples, both with the final intent and entities;
    `corrections` keeps everything and can be imported again unchanged; `label-studio` and
    `argilla` are the tasks and records of these labelling tools, as JSON. Entities that are
    `names` of people are masked in all of them.
    """
    corrections = [without_names(one, names) for one in corrections]
    if form == "corrections":
        lines = [json.dumps(to_dict(one), ensure_ascii=False) for one in corrections]
        return Export("".join(line + "\n" for line in lines), len(lines), {})
    labelled = []
    corrections, left_out = latest(corrections)
    for one in corrections:
        reason = unfit(one, form)
        if reason:
            left_out[one.id] = reason
        else:
            labelled.append(one)
    return Export(_WRITERS[form](labelled), len(labelled), left_out)


def read_corrections(path: Path, author: str) -> list[Correction]:
    """The corrections of a file: whole ones, or examples that become accepted ones.

    Args:
        path: `.jsonl` (corrections or examples, line by line), `.yml` (Rasa's nlu format) or
            `.json` (what Label Studio or Argilla exports).
        author: who vouches for examples.

    Raises:
        InputError: the file cannot be read or a line is wrong; names the place.
    """
    if path.suffix not in (".jsonl", ".json", ".yml", ".yaml"):
        raise InputError("give a .jsonl, .json or .yml file", path=path)
    if path.suffix == ".json":
        return [check(_accepted(*found, author)) for found in _read_labelled(path)]
    if path.suffix != ".jsonl":
        nlu = load_nlu([path])
        return [check(_from_example(example, author)) for example in nlu.examples]
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", path=path) from error
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found.append(_from_line(line, path, number, author))
    return found


def _read_labelled(path: Path) -> list[Labelled]:
    """The labelled texts of a labelling tool's export."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read as JSON: {error}", path=path) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("must be a list of Label Studio's tasks or Argilla's records", path=path)
    read = read_argilla if rows and "fields" in rows[0] else read_label_studio
    try:
        return list(read(rows))
    except InputError as error:
        raise InputError(error.message, path=path) from error


def latest(
    corrections: Sequence[Correction],
) -> tuple[list[Correction], dict[str, str]]:
    """What holds of each text, and why other corrections (by id) do not count.

    Of several of one text and state the newest counts, part by part.
    """
    holds: dict[tuple[str, str], Correction] = {}
    left_out: dict[str, str] = {}
    for one in sorted(corrections, key=lambda c: c.decided):
        if one.intent is None and one.entities is None:
            left_out[one.id] = "it corrects neither the intent nor entities"
            continue
        key = (" ".join(one.text.split()).casefold(), one.state)
        older = holds.get(key)
        if older is not None:
            left_out[older.id] = "a newer correction of the text"
        holds[key] = one if older is None else one.after(older)
    return list(holds.values()), left_out


def unfit(correction: Correction, form: Format) -> str:
    """Why a correction gives no example; empty if it gives one."""
    if correction.final_intent in (None, FALLBACK_INTENT):
        return "no intent is known for it"
    if form == "rasa" and not _survives_markup(correction):
        return "its text cannot be written in Rasa's markup"
    return ""


def _nlu_yaml(corrections: Sequence[Correction]) -> str:
    """An nlu.yml, intents in order of their names, a text once for each."""
    by_intent: dict[str, list[str]] = {}
    for one in corrections:
        lines = by_intent.setdefault(str(one.final_intent), [])
        line = markup(one)
        if line not in lines:
            lines.append(line)
    parts = ['version: "3.1"\n\nnlu:\n']
    for intent in sorted(by_intent):
        parts.append(f"- intent: {json.dumps(intent, ensure_ascii=False)}\n  examples: |\n")
        parts += [f"    - {line}\n" for line in by_intent[intent]]
    return "".join(parts) if by_intent else 'version: "3.1"\n\nnlu: []\n'


def markup(correction: Correction) -> str:
    """The text on one line with its entities marked."""
    text = _one_line(correction.text)
    parts, position = [], 0
    for entity in sorted(correction.final_entities, key=lambda one: one.start):
        word = text[entity.start : entity.end]
        parts += [text[position : entity.start], f"[{word}]{_label(entity, word)}"]
        position = entity.end
    return "".join([*parts, text[position:]]).strip()


def _label(entity: EntityAnnotation, word: str) -> str:
    """`(label)` if that says it all, else `{"entity": …}`."""
    value = _one_line(entity.value) if isinstance(entity.value, str) else entity.value
    if value in (None, word) and not entity.role and not entity.group:
        return f"({entity.label})"
    said: dict[str, Any] = {"entity": entity.label}
    if value not in (None, word):
        said["value"] = value
    said |= {k: v for k, v in (("role", entity.role), ("group", entity.group)) if v}
    return json.dumps(said, ensure_ascii=False)


def _one_line(text: str) -> str:
    """The text with a blank for each white space or control character, of the same length."""
    return "".join(" " if c.isspace() or category(c) == "Cc" else c for c in text)


def _survives_markup(correction: Correction) -> bool:
    """Whether the marked text reads back as the same text and spans."""
    try:
        text, entities = parse_markup(markup(correction))
    except InputError:
        return False
    plain = _one_line(correction.text)
    lead = len(plain) - len(plain.lstrip())
    expected = [(e.start - lead, e.end - lead, e.label) for e in correction.final_entities]
    printable = markup(correction).replace("\u200d", "").isprintable()
    same = text == plain.strip() and sorted(expected) == [
        (e.start, e.end, e.label) for e in entities
    ]
    return printable and same and not text.startswith(("-", "*", "+"))


def _examples(corrections: Sequence[Correction]) -> str:
    lines = []
    for one in corrections:
        example = {
            "text": one.text,
            "intent": one.final_intent,
            "entities": [entity_to_dict(e) for e in one.final_entities],
        }
        lines.append(json.dumps(example, ensure_ascii=False) + "\n")
    return "".join(lines)


_WRITERS: Mapping[Format, Callable[[Sequence[Correction]], str]] = {
    "rasa": _nlu_yaml,
    "jsonl": _examples,
    "label-studio": label_studio,
    "argilla": argilla,
}


def _from_line(line: str, path: Path, number: int, author: str) -> Correction:
    """One line: a whole correction if it has a `kind`, else an example."""
    try:
        data = json.loads(line)
        if not isinstance(data, dict):
            raise InputError(f"must be a JSON object, got {line[:80]!r}")
        if "kind" in data:
            return check(from_dict(data))
        return check(_from_labels(data, author))
    except ValueError as error:
        raise InputError(f"is no JSON: {error}", path=path, line=number) from error
    except InputError as error:
        raise InputError(error.message, path=path, line=number, key=error.key) from error


def _from_labels(data: dict[str, Any], author: str) -> Correction:
    text, intent = data.get("text"), data.get("intent", data.get("label"))
    if not isinstance(text, str):
        raise InputError(f"must be the message as text, got {text!r}", key="text")
    if intent is not None and not isinstance(intent, str):
        raise InputError(f"is a name or null, got {intent!r}", key="intent")
    entities = data.get("entities")
    spans = None if entities is None else parse_entities(entities)
    return _accepted(text, intent, spans, author)


def _from_example(example: Example, author: str) -> Correction:
    intent = example.response or example.intent
    return _accepted(example.text, intent, example.entities or None, author)


def _accepted(
    text: str,
    intent: str | None,
    entities: tuple[EntityAnnotation, ...] | None,
    author: str,
) -> Correction:
    """An accepted correction whose id follows from its content: importing twice adds it once."""
    said = Said(intent, entities)
    correction = valued(draft(said, Author(author, "reviewer"), text=text, correction_id=None))
    spans = [entity_to_dict(e) for e in correction.entities or ()]
    content = json.dumps([text, intent, spans], default=str)
    digest = hashlib.sha256(content.encode("utf-8")).hexdigest()
    return replace(correction, id=digest[:32])
