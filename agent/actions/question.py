"""Completes a question that leaves out what was talked about: "and abroad?"."""

import re
from collections.abc import Iterator, Sequence

from agent.dialogue.events import Restarted, SessionStarted, UserUttered
from agent.dialogue.tracker import Tracker

# A longer message says what it is about.
_LONG_WORDS = 9
_SHORT_WORDS = 3
_MAX_SLOTS = 3
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_OPENING = re.compile(
    r"\W*(and|or|but|also|so|what about|how about|what if|und|oder|auch|was ist mit|wie ist es|et|"
    r"y|e|pero|qu[ée] tal|那么?|还有|呢)\b|.*呢\W*$",
    re.IGNORECASE,
)
# Words that point at something said before.
_POINTING = frozenset(
    """
    it its that this these those they them there one ones das dies diese es dort ihn sie cela ça
    ce eso esto lo
    """.split()  # noqa: SIM905 - thirty quoted words are harder to read
)
_WORD = re.compile(r"[^\W_]+")


def leans_on_dialogue(question: str) -> bool:
    """Whether a question says too little by itself.

    >>> leans_on_dialogue("and abroad?"), leans_on_dialogue("What does a gold card cost?")
    (True, False)
    """
    words = _words(question)
    if _UNSPACED.search(question):
        return len(question.strip()) <= 6 or bool(_OPENING.match(question))
    few = len(words) <= _SHORT_WORDS
    return few or (len(words) < _LONG_WORDS and bool(_OPENING.match(question)))


def points_back(question: str) -> bool:
    """Whether a word of a short question stands for something said before."""
    words = _words(question)
    return len(words) < _LONG_WORDS and any(word in _POINTING for word in words)


def completions(question: str, tracker: Tracker) -> Iterator[str]:
    """The question with the user's last message, and with what the slots hold."""
    previous = _previous(question, tracker)
    if previous:
        yield f"{previous} {question}"
    values = _slot_values(tracker)
    if values:
        yield f"{question} {' '.join(values)}"


def shares_a_word(question: str, text: str) -> bool:
    """Whether a text has a telling word of the question, whatever its ending."""
    words = set(_words(text))
    starts = {word[:5] for word in words}
    telling = [word for word in _words(question) if len(word) > 3 or not word.isascii()]
    if any(_UNSPACED.search(word) for word in telling):
        return any(word in text for word in telling)
    return any(word[:5] in starts for word in telling)


def _previous(question: str, tracker: Tracker) -> str:
    """The user's last message before this one in the session, unless it was a command."""
    # Answers from the knowledge base undo their question, so all events are looked through.
    for event in reversed(tracker.events):
        if isinstance(event, Restarted | SessionStarted):
            break
        if isinstance(event, UserUttered):
            text = (event.text or "").strip()
            if text and text != question and not text.startswith("/"):
                return text
    return ""


def _slot_values(tracker: Tracker) -> Sequence[str]:
    """Texts that slots hold, the first few."""
    named = (
        value
        for name, value in tracker.slots.items()
        if name in tracker.domain.slots and isinstance(value, str) and value.strip()
    )
    return [value for value, _ in zip(named, range(_MAX_SLOTS), strict=False)]


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
