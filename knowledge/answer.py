"""The sentences of a passage that answer a question, with their place in the document."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowledge.encoder import Encoder
from knowledge.passage import Passage
from knowledge.sentences import Span, sentence_spans

# A passage this short is read at a glance, and cutting it loses more than it saves.
WHOLE_CHARACTERS = 400
MAX_SENTENCES = 3
# A sentence joins the answer while it is this near to the best one.
KEEP_SHARE = 0.6
_ITEM = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s")
_ENDS = re.compile(r"[.!?。！？][\s)\"'*_]*$")


@dataclass(frozen=True, slots=True)
class Extract:
    """A stretch of a document that answers: `document.text[start:end]` is `text`."""

    text: str
    start: int
    end: int


def best_sentences(query: str, passage: Passage, encoder: Encoder, n: int = MAX_SENTENCES) -> str:
    """The text of `extract`: at most `n` neighbouring sentences that answer best."""
    return extract(query, passage, encoder, n=n).text


def extract(query: str, passage: Passage, encoder: Encoder, *, n: int = MAX_SENTENCES) -> Extract:
    """The run of at most `n` sentences nearest to the question.

    A short passage is taken whole, and so is the answer of a pair.

    Each sentence is compared under its heading, since a sentence alone often leaves out what
    it is about.
    """
    spans = sentence_spans(passage.text)
    whole = passage.question or len(passage.text) <= WHOLE_CHARACTERS or len(spans) <= n
    if whole or not query.strip():
        return Extract(passage.text, passage.start, passage.end)
    heading = passage.headings[-1] if passage.headings else passage.title
    sentences = [f"{heading}: {passage.text[start:end]}" for start, end in spans]
    scores = encoder.encode_passages(sentences) @ encoder.encode_queries([query])[0]
    first, last = _with_whole_list(passage.text, spans, *_best_run(scores.tolist(), n))
    start, end = spans[first][0], spans[last][1]
    return Extract(passage.text[start:end], passage.start + start, passage.start + end)


def _best_run(scores: Sequence[float], n: int) -> tuple[int, int]:
    """First and last: from the best sentence towards the better neighbour while it is near."""
    first = last = int(np.argmax(scores))
    enough = scores[first] * KEEP_SHARE
    while last - first + 1 < n:
        before = scores[first - 1] if first > 0 else -1.0
        after = scores[last + 1] if last + 1 < len(scores) else -1.0
        if max(before, after) < enough:
            break
        if after >= before:
            last += 1
        else:
            first -= 1
    return first, last


def _with_whole_list(text: str, spans: Sequence[Span], first: int, last: int) -> tuple[int, int]:
    """The run with the rest of a list that it would cut, and the words that lead into the list."""
    parts = [text[start:end] for start, end in spans]
    if _ITEM.match(parts[first]):
        while first > 0 and _ITEM.match(parts[first]):
            first -= 1
        if not _ITEM.match(parts[first]) and _ENDS.search(parts[first]):
            first += 1
    inside = _ITEM.match(parts[last]) or not _ENDS.search(parts[last])
    while inside and last + 1 < len(parts) and _ITEM.match(parts[last + 1]):
        last += 1
    return first, last
