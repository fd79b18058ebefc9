"""Synonyms from a WordNet data base in the format of Princeton's WordNet (wndb)."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import InputError

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

_PLACES = (
    "/usr/share/wordnet",
    "/usr/local/share/wordnet",
    "/usr/share/nltk_data/corpora/wordnet",
    "~/nltk_data/corpora/wordnet",
)
_PARTS = ("noun", "verb", "adj", "adv")
_WORD = re.compile(r"[a-z]{4,}")
# Cosine below which a word of the same entry is too far from what is meant: WordNet has "please"
# beside "delight" (0.2) and "week" beside "hebdomad" (0.24), but also "funds", "finances" (0.72).
_CLOSE = 0.55


class WordNet:
    """A folder with `index.noun`, `data.noun` and so on.

    Args:
        folder: where they lie.

    Raises:
        InputError: they cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._places: dict[str, list[tuple[str, int]]] = {}
        self._data: dict[str, bytes] = {}
        for part in _PARTS:
            try:
                index = (folder / f"index.{part}").read_text("utf-8")
                self._data[part] = (folder / f"data.{part}").read_bytes()
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"no WordNet data base ({error})", path=folder) from error
            for line in index.splitlines():
                self._add(part, line)

    def _add(self, part: str, line: str) -> None:
        """The place of a word's commonest sense in a part of speech."""
        fields = line.split()
        if not line.startswith(" ") and len(fields) >= 7:
            place = (part, int(fields[-int(fields[2])]))
            self._places.setdefault(fields[0], []).append(place)

    def synonyms(self, word: str) -> list[str]:
        """Single words that share the commonest sense of a word, in each part of speech.

        A word is looked up as it stands, so that its number and tense are kept.
        """
        found: dict[str, None] = {}
        for part, offset in self._places.get(word, ()):
            data = self._data[part]
            fields = data[offset : data.find(b"\n", offset)].decode("utf-8").split()
            for name in fields[4 : 4 + 2 * int(fields[3], 16) : 2]:
                plain = name.partition("(")[0]
                if plain.isalpha() and plain.lower() != word:
                    found[plain] = None
        return list(found)


def synonym_table(
    texts: Iterable[str], wordnet: WordNet, encode: Encode
) -> Mapping[str, Sequence[str]]:
    """The words of some texts that have synonyms which an encoder, too, finds close, and these.

    Args:
        texts: where the words are taken from.
        wordnet: gives synonyms.
        encode: words to unit vectors (n, H).
    """
    words = sorted({word for text in texts for word in _WORD.findall(text.lower())})
    pairs = [(word, other) for word in words for other in wordnet.synonyms(word)]
    if not pairs:
        return {}
    both = sorted({word for pair in pairs for word in pair})
    vectors = dict(zip(both, encode(both), strict=True))
    table: dict[str, list[str]] = {}
    for word, other in pairs:
        if float(vectors[word] @ vectors[other]) >= _CLOSE:
            table.setdefault(word, []).append(other)
    return table


def find_wordnet() -> WordNet:
    """The WordNet that this machine has: in `WNSEARCHDIR`, or where packages put it.

    Raises:
        InputError: there is none.
    """
    told = os.environ.get("WNSEARCHDIR")
    if told:
        return WordNet(Path(told))
    for place in _PLACES:
        folder = Path(place).expanduser()
        if (folder / "index.noun").is_file():
            return WordNet(folder)
    raise InputError(
        "--cure synonyms needs WordNet and finds none: install it (Debian's wordnet-base, or "
        "NLTK's corpus `wordnet`), or set WNSEARCHDIR to the folder with index.noun"
    )
