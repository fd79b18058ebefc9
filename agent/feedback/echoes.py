"""What an answer repeats of masked personal data: parts of them, or other forms."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.feedback.masking import mask, may_hold
from agent.feedback.names import PLACEHOLDER

if TYPE_CHECKING:
    import regex

_DIGITS = re.compile(r"\d(?:[ ()./-]{0,2}\d){3,}")
_LETTERS = re.compile(r"[^\W\d_]{3,}")
# Chinese, Japanese and Korean put no space between words.
_EDGE = r"[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
# Fewer digits are in any answer; this many of a longer number in a row are no chance.
_FEWEST, _IN_A_ROW = 4, 6


@dataclass(frozen=True, slots=True)
class Echoes:
    """Recognizes parts of the personal data that stood in `sources`, and of `names`.

    A part is a word of three letters or more (not an address's last label), an e-mail's local
    part or a name however it is separated, or four digits or more, whatever stands between them.
    A name's words count in small letters only where they were written so.

    >>> Echoes.of(["I am joe@example.com, +44 20 7946 0958"]).hide("Hi Joe, is it (0)20 79460958?")
    'Hi <EMAIL>, is it (<PHONE>?'
    """

    words: Mapping[str, str]
    numbers: Mapping[str, str]
    pattern: "regex.Pattern[str] | None"

    @classmethod
    def of(cls, sources: Iterable[str], names: Iterable[str] = ()) -> "Echoes":
        """Those of all personal data in these texts, and of these names of people."""
        named = {word for name in names for word in _name_words(name)}
        words: dict[str, str] = {}
        numbers: dict[str, str] = {}
        for text in sources:
            for span in mask(text).spans if may_hold(text) else ():
                found = text[span.start : span.end]
                words |= dict.fromkeys(_words(found), span.label)
                if len(digits := _digits(found)) >= _FEWEST:
                    numbers[digits] = span.label
        forms = {_form(word): len(word) for word in words}
        forms |= {_name_form(word): len(word) for word in named}
        labels = words | dict.fromkeys(named, "NAME")
        return cls({_squeezed(word): label for word, label in labels.items()}, numbers, _any(forms))

    def hide(self, text: str) -> str:
        """The text with a placeholder for each part. Hiding again changes nothing."""
        if self.pattern is not None:
            text = self.pattern.sub(self._word, text)
        return _DIGITS.sub(self._number, text) if self.numbers else text

    def _word(self, match: "regex.Match[str]") -> str:
        label = self.words.get(_squeezed(match[0]))
        return match[0] if label is None or match[0].startswith("<") else f"<{label}>"

    def _number(self, match: re.Match[str]) -> str:
        label = self._owner(match[0])
        if label is not None:
            return f"<{label}>"
        return re.sub(r"\d{4,}", lambda group: self._group(group[0]), match[0])

    def _group(self, digits: str) -> str:
        label = self._owner(digits)
        return digits if label is None else f"<{label}>"

    def _owner(self, run: str) -> str | None:
        """Whose digits a run repeats; None if nobody's."""
        digits = _digits(run)
        rows = [digits[i : i + _IN_A_ROW] for i in range(len(digits) - _IN_A_ROW + 1)]
        for number, label in self.numbers.items():
            if digits in number or number in digits or any(row in number for row in rows):
                return label
        return None


def texts_in(value: Any) -> Iterator[str]:
    """Every text of a JSON value.

    >>> list(texts_in({"a": ["b", {"c": "d"}], "e": 1}))
    ['b', 'd']
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)


def changed(value: Any, change: Callable[[str], str], kept: frozenset[str]) -> Any:
    """A JSON value with every text changed, but for what stands under the `kept` keys."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {k: v if k in kept else changed(v, change, kept) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [changed(inner, change, kept) for inner in value]
    return value


def _words(secret: str) -> list[str]:
    """The words of a masked value that would tell it."""
    local, at, domain = secret.partition("@")
    if not at:
        return _LETTERS.findall(secret)
    whole = [local] if len(_squeezed(local)) > 1 else []
    return whole + _LETTERS.findall(local) + _LETTERS.findall(domain.rpartition(".")[0])


def _name_words(name: str) -> list[str]:
    """A name and the words of it."""
    return [*([name] if len(_squeezed(name)) > 1 else []), *_LETTERS.findall(name)]


def _form(word: str) -> str:
    """The pattern of a word, however its parts are separated, in any case."""
    return r"[\W_]{0,2}".join(re.findall(r"[^\W_]+", word))


def _name_form(word: str) -> str:
    """The pattern of a name: one word as it was written or with a capital, several in any case."""
    if len(re.findall(r"[^\W_]+", word)) > 1:
        return _form(word)
    plain = _form(word)
    return f"(?-i:{'|'.join(sorted({plain, plain.title(), plain.upper()}))})"


def _any(forms: Mapping[str, int]) -> "regex.Pattern[str] | None":
    """One pattern for all of these, that of the longest word first; None without any.

    By `regex`: `re` takes ten milliseconds to compile the edges, ten times as long.
    """
    longest = "|".join(sorted(filter(None, forms), key=lambda form: -forms[form]))
    if not longest:
        return None
    import regex  # loaded where a conversation has personal data

    ignoring_case = rf"{PLACEHOLDER.pattern}|(?<!{_EDGE})(?:{longest})(?!{_EDGE})"
    return regex.compile(ignoring_case, regex.IGNORECASE)


def _squeezed(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _digits(text: str) -> str:
    return "".join(str(int(char)) for char in text if char.isdecimal())
