"""The sentences of a passage that answer a question, with their place in the document."""

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
    start, end = _best_run(spans, scores.tolist(), n)
    return Extract(passage.text[start:end], passage.start + start, passage.start + end)


def _best_run(spans: Sequence[Span], scores: Sequence[float], n: int) -> Span:
    """Grows from the best sentence towards the better neighbour while it is near enough."""
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
    return spans[first][0], spans[last][1]
