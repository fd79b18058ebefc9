"""Looks in a message for the marks of a denial, a correction, a request or a farewell."""

import re
from dataclasses import dataclass
from functools import cache

from agent.dialogue.wordings import BY_LANGUAGE, ENGLISH

_MAX_FILLERS = 2
_ENDS = " .!,。！"
_LONGEST_CANCEL = 80
_LEADING = re.compile(r"[^\w/]+")


@dataclass(frozen=True, slots=True)
class Marks:
    """A language's wording, ready to look for in a text."""

    _denial: re.Pattern[str]
    _change: re.Pattern[str]
    _request: re.Pattern[str]
    _cancels: frozenset[str]
    _manners: re.Pattern[str]
    _refusal: re.Pattern[str]
    _unwanted: re.Pattern[str]

    def denies(self, before: str) -> bool:
        """Whether what stands before a value says that it is not meant.

        >>> marks_of("en").denies("send 50, not from my ")
        True
        >>> marks_of("en").denies("I'm not sure, ")
        False
        """
        return self._denial.search(before) is not None

    def changes(self, text: str) -> bool:
        """Whether a message says that it changes its mind."""
        return self._change.search(text) is not None

    def requests(self, text: str) -> bool:
        """Whether a message asks for something: a question, or the beginning of a request."""
        asks = text.rstrip().endswith(("?", "？", "؟", "吗"))
        return asks or self._request.match(text.lstrip(" ¿¡\"'")) is not None

    def cancels(self, text: str) -> bool:
        """Whether the whole message does nothing but end what is under way.

        >>> marks_of("en").cancels("oh no, forget it please"), marks_of("en").cancels("a stop sign")
        (True, False)
        """
        plain = _plain(text)
        if len(plain) > _LONGEST_CANCEL:
            return False
        return plain in self._cancels or self._manners.sub("", plain) in self._cancels

    def refuses(self, text: str) -> bool:
        """Whether the whole message says that something is wanted no more.

        >>> marks_of("en").refuses("I don't want to book anymore"), marks_of("en").refuses("no")
        (True, False)
        """
        return self._is_all(self._refusal, text)

    def leaves_unwanted(self, text: str) -> bool:
        """Whether the whole message says that something, whatever it is, is not wanted.

        >>> marks_of("en").leaves_unwanted("I don't want to book a table")
        True
        """
        return self._is_all(self._unwanted, text)

    def _is_all(self, pattern: re.Pattern[str], text: str) -> bool:
        """Whether a pattern is the whole message, with or without the manners around it."""
        plain = _plain(text)
        if len(plain) > _LONGEST_CANCEL:
            return False
        return any(pattern.fullmatch(one) for one in (plain, self._manners.sub("", plain)))


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("\u2019", "'").split()).strip(_ENDS)


@cache
def marks_of(language: str) -> Marks:
    """The marks of a language (`de`, `de-AT`); English where there are none for it."""
    wording = BY_LANGUAGE.get(language.casefold().replace("_", "-").partition("-")[0], ENGLISH)
    fillers = _any_of(wording.fillers)
    between = rf"(?:{fillers}\s+){{0,{_MAX_FILLERS}}}" if fillers else ""
    return Marks(
        re.compile(rf"{_any_of(wording.denials)}\s*{between}[€$£¥]?\s*$", re.IGNORECASE),
        re.compile(_any_of(wording.changes), re.IGNORECASE),
        re.compile(_any_of(wording.requests), re.IGNORECASE),
        frozenset((*wording.cancels, *ENGLISH.cancels)),
        _around((*wording.manners, *ENGLISH.manners)),
        re.compile("|".join((*wording.refusals, *ENGLISH.refusals))),
        re.compile(f"{wording.unwanted}|{ENGLISH.unwanted}"),
    )


def _around(words: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for words at the beginning and at the end of a text."""
    some = rf"(?:{_any_of(words)}[\s,.!]*)+"
    return re.compile(rf"^{some}|[\s,.!]+{some}$")


def _any_of(words: tuple[str, ...]) -> str:
    """A pattern for one of the words, as whole words where they are written in letters."""
    if not words:
        return ""
    longest_first = sorted(words, key=len, reverse=True)
    found = "|".join(re.escape(word) for word in longest_first)
    # Chinese is written without spaces: its words have no boundaries.
    whole = words[0][0].isascii()
    return rf"(?<!\w)(?:{found})(?!\w)" if whole else f"(?:{found})"


__all__ = ["Marks", "marks_of"]
