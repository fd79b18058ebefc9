"""What people are shown of texts that others wrote."""

import unicodedata

_JOINERS = "\u200c\u200d"  # emoji and some scripts are spelled with them
_BLANKS = "\n\t"


def visible(text: str) -> str:
    """A text whose control and direction characters are replaced: it cannot move its neighbours.

    >>> visible("pay \u202e007\x1b[31m")
    'pay �007�[31m'
    """
    return "".join("\N{REPLACEMENT CHARACTER}" if _acts(char) else char for char in text)


def _acts(char: str) -> bool:
    if char in _JOINERS or char in _BLANKS:
        return False
    return unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")
