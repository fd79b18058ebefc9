"""Messages as others would have written them: mistyped, as speech is written down, with synonyms.

They vary the examples while a network is trained (`agent train --cure typos|speech|synonyms`). What
`agent test --robust` measures is made by `training.testing.noise`, apart from this.
"""

import string
from collections.abc import Callable, Mapping, Sequence
from random import Random

from agent.project.types import Example
from training.cures.edits import Edits, edited, free_words, in_entity

Rewording = Callable[[Example, Random], Edits]

# Each key's place on the board; slips go to any key at hand, also above and below.
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_PLACES = {key: (x + y / 3, y) for y, row in enumerate(_ROWS) for x, key in enumerate(row)}
_AT_HAND: Mapping[str, Sequence[str]] = {
    key: [
        other
        for other, (x, y) in _PLACES.items()
        if other != key and abs(x - at[0]) <= 1 and abs(y - at[1]) <= 1 and other.isalpha()
    ]
    for key, at in _PLACES.items()
}
_WORDS_A_SLIP = 8
# What sounds alike and is written down wrong.
_SOUND_ALIKE = (
    ("to", "two", "too"),
    ("there", "their"),
    ("your", "you're"),
    ("its", "it's"),
    ("for", "four"),
    ("by", "buy", "bye"),
    ("know", "no"),
    ("right", "write"),
    ("here", "hear"),
    ("check", "cheque"),
    ("whether", "weather"),
    ("where", "wear"),
    ("which", "witch"),
    ("won", "one"),
    ("been", "bin"),
    ("ate", "eight"),
    ("week", "weak"),
    ("mail", "male"),
    ("wait", "weight"),
    ("sale", "sail"),
    ("cent", "sent", "scent"),
    ("new", "knew"),
    ("then", "than"),
    ("our", "hour"),
    ("through", "threw"),
    ("piece", "peace"),
    ("principal", "principle"),
    ("card", "cart"),
    ("pin", "pen"),
    ("want to", "wanna"),
    ("going to", "gonna"),
    ("have to", "hafta"),
)
_HEARD = {word: [o for o in group if o != word] for group in _SOUND_ALIKE for word in group}
_MISHEARD = 0.3
_FILLERS = ("um ", "uh ", "so ", "well ", "you know ", "like ")
_FILLED = 0.3
# A word is exchanged with this chance; one a message at least.
_EXCHANGED = 0.2


def mistyped(example: Example, rng: Random) -> Edits:
    """Slips of the fingers: a neighbouring key, two letters swapped, one left out or struck twice.

    Words that are entities stay as they are.
    """
    words = [(a, b) for a, b in free_words(example) if b - a > 2]
    count = max(1, round(len(words) / _WORDS_A_SLIP))
    edits = []
    for start, end in sorted(rng.sample(words, min(count, len(words)))):
        at = rng.randrange(start, end - 1)
        here, after = example.text[at], example.text[at + 1]
        near = _AT_HAND.get(here.lower(), (here,))
        slips = (
            (at, at + 1, rng.choice(near)),
            (at, at + 2, after + here),
            (at, at + 1, ""),
            (at, at + 1, here * 2),
        )
        edits.append(rng.choice(slips))
    return edits


def spoken(example: Example, rng: Random) -> Edits:
    """As a speech recognizer writes it: small letters, no punctuation, homophones, fillers.

    Entities only become small.
    """
    text = example.text
    edits: Edits = []
    words = dict(free_words(example))
    at = 0
    while at < len(text):
        end = words.get(at)
        heard = _HEARD.get(text[at:end].lower()) if end else None
        if end and heard and rng.random() < _MISHEARD:
            edits.append((at, end, rng.choice(heard)))
            at = end
            continue
        lower = text[at].lower()
        if text[at] in string.punctuation and text[at] != "'" and not in_entity(example, at):
            edits.append((at, at + 1, ""))
        elif lower != text[at] and len(lower) == 1:
            edits.append((at, at + 1, lower))
        at += 1
    if rng.random() < _FILLED:
        edits = [(0, 0, rng.choice(_FILLERS)), *edits]
    return edits


def with_synonyms(synonyms: Mapping[str, Sequence[str]]) -> Rewording:
    """Exchanges some words outside entities for one of their synonyms; see `synonym_table`."""

    def reword(example: Example, rng: Random) -> Edits:
        choices = [
            (start, end, found)
            for start, end in free_words(example)
            if (found := synonyms.get(example.text[start:end].lower()))
        ]
        count = max(1, round(_EXCHANGED * len(choices)))
        chosen = sorted(rng.sample(choices, min(count, len(choices))))
        return [(start, end, rng.choice(found)) for start, end, found in chosen]

    return reword


def reworded(example: Example, wordings: Sequence[tuple[Rewording, float]], rng: Random) -> Example:
    """The example after each of the rewordings that its chance in [0, 1] lets happen."""
    for reword, chance in wordings:
        if rng.random() < chance:
            changed = edited(example, reword(example, rng))
            example = changed if changed.text.strip() else example
    return example
