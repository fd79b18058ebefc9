"""Corrections written into a project's own nlu files; all else in them stays as it was."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import InputError
from agent.feedback.correction import Correction
from agent.feedback.exchange import latest, markup, unfit
from agent.feedback.names import NO_NAMES, NameLabels, without_names
from agent.project import load_nlu, load_project
from agent.project.types import Example
from agent.storage.files import write_whole
from agent.understanding.memory import fold

_LINE = re.compile(r"(\s*-\s+)\S")
NEW_FILE = Path("data") / "corrections.yml"


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the corrections: ids added, moved from another intent, there already."""

    added: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


@dataclass(slots=True)
class _Files:
    """The texts of the files that change, by line; lines are marked first, changed at the end."""

    inserted: dict[Path, dict[int, list[str]]] = field(default_factory=dict)
    deleted: dict[Path, set[int]] = field(default_factory=dict)
    lines: dict[Path, list[str]] = field(default_factory=dict)

    def line(self, path: Path, number: int) -> str | None:
        """A line of a file (1-based), None if there is none."""
        if path not in self.lines:
            text = path.read_bytes().decode("utf-8")
            self.lines[path] = text.splitlines(keepends=True)
        found = self.lines[path]
        return found[number - 1] if 0 < number <= len(found) else None

    def insert(self, path: Path, after: int, text: str) -> None:
        """Put a line behind another one."""
        self.inserted.setdefault(path, {}).setdefault(after, []).append(text)

    def delete(self, path: Path, number: int) -> None:
        """Take a line out."""
        self.deleted.setdefault(path, set()).add(number)

    def result(self, path: Path) -> str:
        """The text of a file with all changes."""
        parts = []
        for number, line in enumerate(self.lines[path], start=1):
            if number not in self.deleted.get(path, ()):
                parts.append(line)
            for new in self.inserted.get(path, {}).get(number, ()):
                if parts and not parts[-1].endswith("\n"):
                    parts.append("\n")
                parts.append(new)
        return "".join(parts)


def merge(root: Path, corrections: Sequence[Correction], *, names: NameLabels = NO_NAMES) -> Merged:
    """Write accepted corrections into the nlu files of a project.

    An example goes behind the last one of its intent, in the same layout; a text that stands
    under another intent moves; what is there already stays. Intents that no file has get a
    block in `data/corrections.yml`. Each changed file is read again before it replaces the
    old one. Entities that are `names` of people are masked.

    Raises:
        InputError: the project cannot be read, or a changed file could not be read back.
    """
    examples = load_project(root).nlu.examples
    by_text = {fold(e.text): e for e in examples}
    last = _last_lines(root, examples)
    files, new_blocks = _Files(), dict[str, list[str]]()
    added, moved, known = list[str](), list[str](), list[str]()
    corrections, left_out = latest([without_names(one, names) for one in corrections])
    left_out |= {one.id: why for one in corrections if (why := _unfit(one))}
    for one in corrections:
        if one.id in left_out:
            continue
        intent, line = str(one.final_intent), markup(one)
        present = by_text.get(fold(one.text))
        if present is not None and (present.response or present.intent) == intent:
            known.append(one.id)
            continue
        if present is not None and not _take_out(root, files, present):
            left_out[one.id] = f"it stands under {present.intent!r} where it cannot be moved from"
            continue
        (added if present is None else moved).append(one.id)
        if not _put_in(files, last.get(intent), line):
            new_blocks.setdefault(intent, []).append(line)
    changed = _write(root, files, new_blocks)
    return Merged(tuple(added), tuple(moved), tuple(known), left_out, changed)


def _unfit(correction: Correction) -> str:
    """Why a correction is not written into the training data; empty if it is."""
    if correction.drawn:
        return "it was drawn at random to judge models, so that none may be trained on it"
    return unfit(correction, "rasa")


def _last_lines(root: Path, examples: Sequence[Example]) -> dict[str, tuple[Path, int]]:
    """Where each intent's last example stands."""
    found: dict[str, tuple[Path, int]] = {}
    for example in examples:
        path = root / example.place.path
        if example.place.line and path.suffix in (".yml", ".yaml"):
            found[str(example.response or example.intent)] = (path, example.place.line)
    return found


def _take_out(root: Path, files: _Files, example: Example) -> bool:
    """Delete the line of an example; False if it is not a line of its own."""
    path, number = root / example.place.path, example.place.line
    line = files.line(path, number) if path.is_file() else None
    if line is None or not _LINE.match(line) or "text:" in line:
        return False
    files.delete(path, number)
    return True


def _put_in(files: _Files, place: tuple[Path, int] | None, line: str) -> bool:
    """Add a line behind another example, with its indentation; False if there is no such one."""
    if place is None:
        return False
    path, number = place
    model = files.line(path, number)
    found = _LINE.match(model) if model else None
    if model is None or found is None or "text:" in model:
        return False
    ending = "\r\n" if model.endswith("\r\n") else "\n"
    files.insert(path, number, f"{found[1]}{line}{ending}")
    return True


def _write(root: Path, files: _Files, blocks: Mapping[str, Sequence[str]]) -> tuple[Path, ...]:
    """Replace the changed files, each after it was read back."""
    texts = {path: files.result(path) for path in {*files.inserted, *files.deleted}}
    if blocks:
        path = root / NEW_FILE
        before = path.read_text("utf-8") if path.is_file() else 'version: "3.1"\n\nnlu:\n'
        if not before.endswith("\n"):
            before += "\n"
        texts[path] = before + "".join(_block(name, lines) for name, lines in blocks.items())
    for path, text in texts.items():
        _check(path, text)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    return tuple(sorted(texts))


def _block(intent: str, lines: Sequence[str]) -> str:
    head = f"- intent: {json.dumps(intent, ensure_ascii=False)}\n  examples: |\n"
    return head + "".join(f"    - {line}\n" for line in lines)


def _check(path: Path, text: str) -> None:
    """Read a text as the file that it will be.

    Raises:
        InputError: it is no valid nlu file; the old one is left alone.
    """
    trial = path.with_name(f".{path.stem}-merge{path.suffix}")
    trial.parent.mkdir(parents=True, exist_ok=True)
    try:
        trial.write_text(text, encoding="utf-8")
        load_nlu([trial])
    except InputError as error:
        raise InputError(f"{path} was left as it is: with the corrections {error}") from error
    finally:
        trial.unlink(missing_ok=True)
