"""How a word is written, for encoders that do not see it: its class rides on the token's id.

Names are written with capitals, and an uncased encoder is never told. A token's id plus `STRIDE`
times its class says both, so that everything between the tokenizer and the network's embeddings
passes one number a token, as ever.
"""

from collections.abc import Sequence

from tokenizers import Tokenizer

# Beyond every vocabulary.
STRIDE = 1 << 20
# No capital, a capital first, capitals, mixed. The first adds nothing: text without capitals has
# the ids that the tokenizer gives it.
CLASSES = 4
PLAIN = 0


def case_of(piece: str) -> int:
    """The class of a token's characters.

    >>> [case_of(piece) for piece in ("42", "you", "Paris", "A", "NATO", "iPhone")]
    [0, 0, 1, 1, 2, 3]
    """
    if piece == piece.lower():
        return PLAIN
    if piece[1:] == piece[1:].lower():
        return 1
    return 2 if piece == piece.upper() else 3


def with_case(text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> Sequence[int]:
    """The ids of a text's tokens, with the class of each."""
    if text == text.lower():
        return ids
    return [
        number + STRIDE * case_of(text[start:end])
        for number, (start, end) in zip(ids, offsets, strict=True)
    ]


def ignores_case(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer gives capitals the ids of small letters."""
    ids: list[int] = tokenizer.encode("Rome PARIS").ids
    return ids == tokenizer.encode("rome paris").ids
