"""Sentence boundaries in plain and Markdown text, as character offsets."""

import re
from collections.abc import Iterator

Span = tuple[int, int]

# A full stop after these ends no sentence.
ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof st vs etc e.g i.e eg ie cf al approx inc ltd co corp dept
    jan feb mar apr jun jul aug sep sept oct nov dec bzw ca z.b usw str abs p.a u.s u.k
    """.split()  # noqa: SIM905 - forty quoted words are harder to read
)
# Nor after these, when a number follows.
BEFORE_NUMBERS = frozenset({"no", "nos", "nr", "fig", "eq", "p", "pp"})
CLOSING = "\"'”’)\\]»*_`"
END = re.compile(
    rf"(?P<stop>[.!?…]+)[{CLOSING}]*(?=\s)"  # Latin: white space must follow
    r"|[。！？；]+[”’」』）]*"  # Chinese and Japanese: nothing need follow
    r"|\n[ \t]*(?=\n)"  # an empty line
    r"|\n(?=[ \t]*(?:[-*+•][ \t]|\d+[.)][ \t]|\||\#{1,6}[ \t]|>))"  # list item, row, heading
)
# Written without spaces between words: kana and ideographs; Thai, Lao, Burmese and Khmer.
UNSPACED_SCRIPTS = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+"
)
LAST_WORD = re.compile(r"(\S+)$")


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Start and end of each sentence in `text[start:end]`, without the space around it.

    A line break inside a paragraph ends no sentence; an empty line, a list item, a table row
    and a heading do.

    >>> [("Dr. No paid €3.50. Why?")[a:b] for a, b in sentence_spans("Dr. No paid €3.50. Why?")]
    ['Dr. No paid €3.50.', 'Why?']
    """
    end = len(text) if end is None else end
    spans = []
    for left, right in _pieces(text, start, end):
        trimmed = trim(text, left, right)
        if trimmed[0] < trimmed[1]:
            spans.append(trimmed)
    return spans


def trim(text: str, start: int, end: int) -> Span:
    """The span without white space at its ends; empty when there is nothing else."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece) - len(piece.rstrip())
    return (start + left, end - right) if left < len(piece) else (start, start)


def _pieces(text: str, start: int, end: int) -> Iterator[Span]:
    left = start
    for match in END.finditer(text, start, end):
        if match["stop"] and not _ends_sentence(text, left, match):
            continue
        yield left, match.end()
        left = match.end()
    yield left, end


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether a full stop closes a sentence, rather than an abbreviation or an initial."""
    following = text[match.end() : match.end() + 24].lstrip()
    if following[:1].islower():
        return False
    if match["stop"] != ".":
        return True
    # The longest abbreviation is short; a long look back would make this quadratic.
    before = LAST_WORD.search(text[max(start, match.start() - 24) : match.start()])
    word = before[1].lower().lstrip("(\"'“‘*_") if before else ""
    if word.isdigit() and text[start : match.start()].strip() == word:
        return False  # the number of a list item
    if word in BEFORE_NUMBERS and following[:1].isdigit():
        return False
    return word not in ABBREVIATIONS and not (len(word) == 1 and word.isalpha())
