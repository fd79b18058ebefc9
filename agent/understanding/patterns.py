"""Deterministic entities beside the network: regular expressions, lookup tables, synonyms."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agent.errors import InputError
from agent.turn import Entity

_log = logging.getLogger(__name__)
EXTRACTOR = "RegexEntityExtractor"
LIMIT_S = 0.1
"""How long one of a project's expressions may look at one text; then it has no match there."""
_LETTERS_TRIED = 12


class Finder(Protocol):
    """A compiled expression, of `re` or one that gives up in time."""

    def finditer(self, text: str, /) -> Iterator[re.Match[str]]:
        """Its matches in a text, from left to right."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """An expression of a project, which may be one that takes exponentially long on some texts."""

    label: str
    compiled: Any

    def finditer(self, text: str, /) -> Iterator[re.Match[str]]:
        """Its matches in a text; none, and a line in the log, where it takes too long."""
        try:
            return iter(list(self.compiled.finditer(text, timeout=LIMIT_S)))
        except TimeoutError:
            _log.warning(
                "the regex %r of %r took more than %s s for a text of %d characters: no match",
                self.compiled.pattern,
                self.label,
                LIMIT_S,
                len(text),
            )
            return iter(())


@dataclass(frozen=True, slots=True)
class Matching:
    """How patterns match: whether case counts, and which of them begin and end with a word.

    In scripts without spaces a word's edge says nothing: `word_lookups` is what a Rasa project
    turns off for them by `use_word_boundaries`; Rasa's regexes match wherever they say.
    """

    case_sensitive: bool = False
    word_regexes: bool = True
    word_lookups: bool = True


AS_WORDS = Matching()


@dataclass(frozen=True, slots=True)
class Patterns:
    """Compiled patterns by label and the synonym table (lower-case spelling to value)."""

    compiled: tuple[tuple[str, Finder], ...] = ()
    synonyms: Mapping[str, str] | None = None

    def find(self, text: str) -> list[Entity]:
        """All matches in `text`; of overlapping ones with one label the longest stays."""
        found = [
            Entity(label, m.start(), m.end(), m.group(), m.group(), extractor=EXTRACTOR)
            for label, pattern in self.compiled
            for m in pattern.finditer(text)
            if m.end() > m.start()
        ]
        return _longest(found)

    def normalize(self, entities: Iterable[Entity]) -> list[Entity]:
        """The entities with values replaced by what their spelling is a synonym of."""
        table = self.synonyms or {}
        meant = ((e, table.get(str(e.value).lower())) for e in entities)
        # A number that is its own spelling stays a number.
        return [
            e if value in (None, str(e.value)) else replace(e, value=value) for e, value in meant
        ]


def compile_patterns(
    regexes: Mapping[str, Sequence[str]],
    lookups: Mapping[str, Sequence[str]],
    synonyms: Mapping[str, str],
    matching: Matching = AS_WORDS,
) -> Patterns:
    r"""Patterns from a project's training data.

    By default matches ignore case and end at word boundaries; lookup words are taken literally.

    Raises:
        InputError: an expression is not valid; names its label.

    >>> [e.text for e in compile_patterns({"pin": [r"\d{4}"]}, {}, {}).find("my pin 1234")]
    ['1234']
    """
    flags = re.NOFLAG if matching.case_sensitive else re.IGNORECASE
    compiled: list[tuple[str, Finder]] = [
        (label, _bounded(label, _compile(label, pattern, flags, matching.word_regexes)))
        for label, group in regexes.items()
        for pattern in group
    ]
    for label, words in lookups.items():
        ordered = sorted({w.strip() for w in words if w.strip()}, key=lambda w: (-len(w), w))
        if ordered:
            any_word = "|".join(map(re.escape, ordered))
            compiled.append((label, _compile(label, any_word, flags, matching.word_lookups)))
    return Patterns(tuple(compiled), {k.lower(): v for k, v in synonyms.items()})


def merge(network: Sequence[Entity], patterns: Sequence[Entity]) -> list[Entity]:
    """One list without overlaps, in order of the text.

    A pattern's match replaces the network's spans that it covers and takes over the role, group
    and confidence of one with its own label; any other overlap leaves the network's span.
    """
    kept = list(network)
    for found in patterns:
        match = found
        overlapping = [e for e in kept if e.start < match.end and match.start < e.end]
        if any(e.start < match.start or e.end > match.end for e in overlapping):
            continue
        twin = next((e for e in overlapping if e.label == match.label), None)
        if twin is not None:
            match = replace(match, role=twin.role, group=twin.group, confidence=twin.confidence)
        elif any(e.start == match.start and e.end == match.end for e in overlapping):
            continue
        kept = [e for e in kept if e not in overlapping] + [match]
    return sorted(kept, key=lambda e: (e.start, e.end))


def patterns_from_json(data: Mapping[str, Any]) -> Patterns:
    """Patterns as a model folder stores them (`regexes`, `lookups`, `synonyms`, `matching`)."""
    return compile_patterns(
        data.get("regexes", {}),
        data.get("lookups", {}),
        data.get("synonyms", {}),
        Matching(**data.get("matching", {})),
    )


def _compile(label: str, pattern: str, flags: re.RegexFlag, as_word: bool) -> re.Pattern[str]:
    try:
        return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)" if as_word else pattern, flags)
    except re.error as error:
        raise InputError(f"regex of {label!r} is not valid: {error} in {pattern!r}") from error


def takes_too_long(pattern: str) -> str | None:
    """A text on which an expression exceeds its time limit, if one of a few repeats is such.

    >>> takes_too_long(r"\\d{4}") is None
    True
    """
    import regex

    letters: dict[str, None] = dict.fromkeys([*"a0 ", *filter(str.isalnum, pattern)])
    try:
        compiled = regex.compile(pattern, re.IGNORECASE)
    except regex.error:
        return None
    for letter in list(letters)[:_LETTERS_TRIED]:
        text: str = letter * 60 + "!"
        try:
            list(compiled.finditer(text, timeout=LIMIT_S))
        except TimeoutError:
            return text
    return None


def _bounded(label: str, pattern: re.Pattern[str]) -> Finder:
    """The same expression in the engine with a time limit, or as it is where that one differs."""
    import regex  # loaded where a project has expressions: lookup tables do without

    try:
        return Bounded(label, regex.compile(pattern.pattern, pattern.flags & re.IGNORECASE))
    except regex.error:
        return pattern


def _longest(found: list[Entity]) -> list[Entity]:
    found.sort(key=lambda e: (-(e.end - e.start), e.start))
    kept: list[Entity] = []
    for entity in found:
        if not any(e.start < entity.end and entity.start < e.end for e in kept):
            kept.append(entity)
    return sorted(kept, key=lambda e: e.start)
