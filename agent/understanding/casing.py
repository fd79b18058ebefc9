"""How a word is written, for encoders that do not see it: its class rides on the token's id.

Names are written with capitals, and an uncased encoder is never told. A token's id plus `STRIDE`
times its class says both, so that everything between the tokenizer and the network's embeddings
passes one number a token, as ever.
"""

from collections.abc import Sequence

from tokenizers import Tokenizer

# Beyond every vocabulary.
STRIDE = 1 << 20
# No letter, small letters (and scripts without any other), a capital first, capitals, mixed.
CLASSES = 5
PLAIN = 1


def case_of(piece: str) -> int:
    """The class of a token's characters.

    >>> [case_of(piece) for piece in ("42", "you", "Paris", "A", "NATO", "iPhone")]
    [0, 1, 2, 2, 3, 4]
    """
    if not any(map(str.isalpha, piece)):
        return 0
    if piece == piece.lower():
        return PLAIN
    if piece[1:] == piece[1:].lower():
        return 2
    return 3 if piece == piece.upper() else 4


def with_case(text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The ids of a text's tokens, with the class of each."""
    return [
        number + STRIDE * case_of(text[start:end])
        for number, (start, end) in zip(ids, offsets, strict=True)
    ]


def ignores_case(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer gives capitals the ids of small letters."""
    ids: list[int] = tokenizer.encode("Rome PARIS").ids
    return ids == tokenizer.encode("rome paris").ids
