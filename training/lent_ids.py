"""Characters that an encoder cannot read get the ids of words that the texts do not use.

A WordPiece vocabulary reads each character it lacks as the same unknown token, so that an English
encoder sees no difference between most Chinese messages. With the embedding of some unrelated word
such characters mean nothing to the encoder either, but they are told apart, and the heads learn
what they stand for.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import tokenizers

MOST = 4000
"""Characters at most; the rarest ones stay unknown."""
_LEAST_LETTERS = 6


def lend_ids(definition: Mapping[str, Any], texts: Iterable[str]) -> dict[str, Any]:
    """A tokenizer's JSON in which every frequent character of the texts has an id.

    Only WordPiece is changed: the other models fall back to bytes or know most scripts.
    """
    model = definition.get("model") or {}
    if model.get("type") != "WordPiece":
        return dict(definition)
    vocabulary: dict[str, int] = dict(model["vocab"])
    plain = tokenizers.Tokenizer.from_str(_json(definition)).normalizer
    seen: Counter[str] = Counter()
    for text in texts:
        shown = text.encode("utf-8", "replace").decode()
        seen.update(plain.normalize_str(shown) if plain is not None else shown)
    unread = [c for c in sorted(seen, key=lambda c: (-seen[c], c)) if _is_unread(c, vocabulary)]
    if not unread:
        return dict(definition)
    for character, number in zip(unread[:MOST], _lenders(vocabulary, texts), strict=False):
        vocabulary[character] = vocabulary[model["continuing_subword_prefix"] + character] = number
    return {**definition, "model": {**model, "vocab": vocabulary}}


def _is_unread(character: str, vocabulary: Mapping[str, int]) -> bool:
    shown = not character.isascii() and character.isprintable() and not character.isspace()
    return shown and character not in vocabulary


def _lenders(vocabulary: Mapping[str, int], texts: Iterable[str]) -> Iterable[int]:
    """The ids of long plain words that stand in none of the texts, the rarest words first."""
    used = {word for text in texts for word in text.lower().split()}
    shared = Counter(vocabulary.values())
    for word, number in sorted(vocabulary.items(), key=lambda item: -item[1]):
        long = len(word) >= _LEAST_LETTERS and word.isascii() and word.isalpha()
        if long and word not in used and shared[number] == 1:
            yield number


def _json(definition: Mapping[str, Any]) -> str:
    return json.dumps(definition, ensure_ascii=False)
