"""Cuts a document into passages by headings, paragraphs and sentences."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from knowledge.passage import Document, Passage
from knowledge.sentences import Span, sentence_spans, trim

# Goes into an index's manifest: an index cut by other rules is made again.
CHUNKER_VERSION = 2
# Room in the window for title and headings, which are encoded with every passage.
HEADING_TOKENS = 40
OVERLAP_TOKENS = 32
# So much text is cut into tokens at a time, which bounds the memory.
MAX_CHARACTERS = 100_000

TokenOffsets = Callable[[str], Sequence[Span]]

LINE = re.compile(r"[^\n]*\n?")
FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
HEADING = re.compile(r"[ ]{0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\r?\n?$")
UNDERLINE = re.compile(r"[ ]{0,3}(=+|-+)[ \t]*\r?\n?$")
INLINE_MARKS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)|!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of paragraphs under one path of headings."""

    headings: tuple[str, ...]
    blocks: tuple[Span, ...]


def chunk(
    document: Document,
    token_offsets: TokenOffsets,
    *,
    max_tokens: int,
    overlap: int = OVERLAP_TOKENS,
) -> list[Passage]:
    """The passages of a document, in order; together they cover all its text.

    A section that fits the window stays whole. A longer one is cut between paragraphs, then
    sentences, then tokens, into pieces of about equal length; a piece begins with up to
    `overlap` tokens of the one before. `max_tokens` is the encoder's window for text;
    `token_offsets` gives the characters of each token. The answer to a question is one
    passage, however long.
    """
    if document.question:
        return [_whole(document)]
    budget = max(8, max_tokens - min(HEADING_TOKENS, max_tokens // 4))
    passages: list[Passage] = []
    for section in sections(document):
        for start, end in _spans(document.text, section, token_offsets, budget, overlap):
            passages.append(
                Passage(
                    id=f"{document.id}#{len(passages)}",
                    document_id=document.id,
                    title=document.title,
                    text=document.text[start:end],
                    start=start,
                    end=end,
                    headings=section.headings,
                    metadata=document.metadata,
                )
            )
    return passages


def _whole(document: Document) -> Passage:
    start, end = trim(document.text, document.body_start, len(document.text))
    return Passage(
        id=f"{document.id}#0",
        document_id=document.id,
        title=document.title,
        text=document.text[start:end],
        start=start,
        end=end,
        metadata=document.metadata,
        question=document.question,
    )


def sections(document: Document) -> list[Section]:
    """The document's sections that hold text; plain text is one section.

    A document of nothing but headings (a page whose tags are wrong) is one section of them.
    """
    found: list[Section] = []
    path: list[tuple[int, str]] = []
    blocks: list[Span] = []
    names: list[Span] = []

    def close() -> None:
        if blocks:
            found.append(Section(tuple(name for _, name in path if name), tuple(blocks)))
            blocks.clear()

    for start, end, level in _blocks(document):
        if level:
            close()
            while path and path[-1][0] >= level:
                path.pop()
            path.append((level, _plain(document.text[start:end])))
            names.append((start, end))
        else:
            blocks.append((start, end))
    close()
    named = tuple((start, end) for start, end in names if start < end)
    return found if found or not named else [Section((), named)]


def _blocks(document: Document) -> Iterator[tuple[int, int, int]]:
    """Paragraphs (level 0) and headings (level 1 to 6) as (start, end, level)."""
    text, markdown = document.text, document.markup == "markdown"
    left, fence = document.body_start, ""
    for match in LINE.finditer(text, document.body_start):
        line, start = match[0], match.start()
        if not line:
            break
        mark = FENCE.match(line) if markdown else None
        if fence or mark:
            if mark:
                fence = "" if fence == mark[1] else fence or mark[1]
            continue
        heading = HEADING.match(line) if markdown else None
        underline = UNDERLINE.match(line) if markdown and _one_line(text[left:start]) else None
        if heading:
            yield from _paragraph(text, left, start)
            name = heading[2] or ""
            at = start + (heading.start(2) if heading[2] else 0)
            yield at, at + len(name), len(heading[1])
        elif underline:
            yield (*trim(text, left, start), 1 if underline[1][0] == "=" else 2)
        elif line.strip():
            continue
        else:
            yield from _paragraph(text, left, start)
        left = match.end()
    yield from _paragraph(text, left, len(text))


def _paragraph(text: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    start, end = trim(text, start, end)
    if start < end:
        yield start, end, 0


def _one_line(text: str) -> bool:
    return bool(text.strip()) and "\n" not in text.strip()


def _plain(heading: str) -> str:
    """A heading without emphasis and link targets."""
    return " ".join(INLINE_MARKS.sub(lambda mark: mark[1] or "", heading).split())


def _spans(
    text: str, section: Section, token_offsets: TokenOffsets, budget: int, overlap: int
) -> Iterator[Span]:
    """The spans of a section's passages; a very long section is taken run by run."""
    run: list[Span] = []
    for block in section.blocks:
        for piece in _bounded(text, *block):
            if run and piece[1] - run[0][0] > MAX_CHARACTERS:
                yield from _cut(text, run, token_offsets, budget, overlap)
                run = []
            run.append(piece)
    yield from _cut(text, run, token_offsets, budget, overlap)


def _bounded(text: str, start: int, end: int) -> Iterator[Span]:
    """A paragraph, or pieces of one that is as long as a book."""
    while end - start > MAX_CHARACTERS:
        cut = text.rfind(" ", start + 1, start + MAX_CHARACTERS) + 1 or start + MAX_CHARACTERS
        if text[start:cut].strip():
            yield trim(text, start, cut)
        start = cut
    if text[start:end].strip():
        yield trim(text, start, end)


def _cut(
    text: str, blocks: Sequence[Span], token_offsets: TokenOffsets, budget: int, overlap: int
) -> Iterator[Span]:
    """Spans of at most `budget` tokens over the blocks of one section."""
    first, last = blocks[0][0], blocks[-1][1]
    offsets = token_offsets(text[first:last])
    starts = [first + start for start, _ in offsets]
    ends = [first + end for _, end in offsets]

    def tokens(start: int, end: int) -> int:
        # A token that a boundary falls into counts on both sides.
        return bisect_left(starts, end) - bisect_right(ends, start)

    total = tokens(first, last)
    if total <= budget:
        yield first, last
        return
    pieces = -(-total // (budget - overlap)) if budget > overlap else total
    goal = min(budget, -(-total // pieces) + overlap)
    units = list(_units(text, blocks, starts, goal, tokens))
    left = 0
    while left < len(units):
        right = left + 1
        while right < len(units) and tokens(units[left][0], units[right][1]) <= goal:
            right += 1
        yield units[left][0], units[right - 1][1]
        if right == len(units):
            return
        back = right
        # Always one unit forward, and room for one new unit beside the repeated ones.
        while back - 1 > left and tokens(units[back - 1][0], units[right][1]) <= goal:
            if tokens(units[back - 1][0], units[right - 1][1]) > overlap:
                break
            back -= 1
        left = back


def _units(
    text: str,
    blocks: Sequence[Span],
    starts: Sequence[int],
    goal: int,
    tokens: Callable[[int, int], int],
) -> Iterator[Span]:
    """Sentences, and pieces of those that are longer than a whole passage may be."""
    for block in blocks:
        for start, end in sentence_spans(text, *block):
            if tokens(start, end) <= goal:
                yield start, end
                continue
            inside = starts[bisect_right(starts, start) : bisect_left(starts, end)]
            cuts = [start, *inside[goal - 1 :: goal], end]
            for left, right in pairwise(cuts):
                if text[left:right].strip():
                    yield trim(text, left, right)
