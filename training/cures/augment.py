"""Examples shown a little differently each time: other values and words, slips, hidden tokens."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.project.types import EntityAnnotation, Example
from agent.understanding.bio import span_type
from agent.understanding.labels import SpanType
from training.cures.wordings import Rewording

Pools = Mapping[SpanType, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may change when an example is shown.

    `swap` and `hide` are the chances in [0, 1] that an entity gets another value of its
    type, and that a token is replaced by `mask_id` (never, if that is None); `wordings` are
    rewordings of the whole text, each with its chance.
    """

    pools: Pools
    swap: float
    hide: float
    mask_id: int | None
    wordings: Sequence[tuple[Rewording, float]] = ()


def value_pools(examples: Sequence[Example]) -> dict[SpanType, list[str]]:
    """The different words that annotate each span type, in order of appearance."""
    pools: dict[SpanType, dict[str, None]] = defaultdict(dict)
    for example in examples:
        for span in example.entities:
            pools[span_type(span)][example.text[span.start : span.end]] = None
    return {kind: list(words) for kind, words in pools.items()}


def swap_values(example: Example, pools: Pools, chance: float, rng: np.random.Generator) -> Example:
    """The example with some entities' words replaced by others of their type.

    Offsets follow the new text.
    """
    text, spans, shift = example.text, [], 0
    for span in sorted(example.entities, key=lambda s: s.start):
        start, end = span.start + shift, span.end + shift
        words = text[start:end]
        pool = pools.get(span_type(span), ())
        if len(pool) > 1 and rng.random() < chance:
            words = pool[int(rng.integers(len(pool)))]
        text = text[:start] + words + text[end:]
        spans.append(_moved(span, start, words))
        shift += len(words) - (end - start)
    return replace(example, text=text, entities=tuple(spans))


def _moved(span: EntityAnnotation, start: int, words: str) -> EntityAnnotation:
    return replace(span, start=start, end=start + len(words), value=words)


def hide_tokens(
    ids: Sequence[int], places: Sequence[int], mask_id: int, chance: float, rng: np.random.Generator
) -> tuple[int, ...]:
    """The ids with some of those at `places` replaced by the mask's; at least one stays.

    Source: the masking of Devlin et al. 2019, as a regularizer.
    """
    hidden = [place for place in places if rng.random() < chance]
    if len(hidden) == len(places):
        hidden = hidden[1:]
    changed = list(ids)
    for place in hidden:
        changed[place] = mask_id
    return tuple(changed)
