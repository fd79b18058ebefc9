"""Accepted corrections to training examples: deduplicated, masked, split, with their lineage."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.feedback.correction import Correction
from agent.project.types import Example, NluData
from agent.turn import FALLBACK_INTENT
from training.corpus import fold

# Below this many corrections none is held out: each is worth more as an example.
HOLD_OUT_FROM = 5


@dataclass(frozen=True, slots=True)
class Curated:
    """What a learning cycle trains on and judges by.

    `examples` join the base data, `held_out` only judge; `overruled` are base examples whose
    text a correction labels otherwise; `skipped` says, by correction id, why one gave none.
    Each example's `source` is `correction:<id>`.
    """

    examples: tuple[Example, ...]
    held_out: tuple[Example, ...]
    overruled: tuple[Example, ...]
    skipped: dict[str, str]

    def mixed_with(self, base: NluData) -> NluData:
        """The base data with the corrections' examples; overruled and duplicate texts replaced."""
        corrected = {fold(e.text) for e in (*self.examples, *self.held_out)}
        kept = tuple(e for e in base.examples if fold(e.text) not in corrected)
        return replace(base, examples=(*kept, *self.examples))


def curate(corrections: Iterable[Correction], base: NluData, *, held_out: float) -> Curated:
    """Turn accepted corrections into examples.

    Of several corrections of one text the newest counts, part by part. A correction of an
    answer trains nothing: the memory keeps it.

    Args:
        corrections: accepted ones, in any order.
        base: the project's own training data.
        held_out: share in [0, 1) that judges instead of training, by a stable hash of the text.
    """
    skipped: dict[str, str] = {}
    merged: dict[str, Example] = {}
    for correction in sorted(corrections, key=lambda c: (c.created_at, c.id)):
        example, reason = _example(correction)
        if example is None:
            skipped[correction.id] = reason
            continue
        key = fold(example.text)
        older = merged.get(key)
        if older is not None:
            skipped[older.source.removeprefix("correction:")] = "a newer correction of the text"
        merged[key] = example
    share = held_out if len(merged) >= HOLD_OUT_FROM else 0.0
    held = {key for key in merged if _draw(key) < share}
    return Curated(
        examples=tuple(e for key, e in merged.items() if key not in held),
        held_out=tuple(merged[key] for key in held),
        overruled=_overruled(base.examples, merged),
        skipped=skipped,
    )


def correction_ids(examples: Sequence[Example]) -> tuple[str, ...]:
    """The ids of the corrections that examples come from."""
    marks = (e.source.partition("correction:") for e in examples)
    return tuple(rest for _, mark, rest in marks if mark)


def _example(correction: Correction) -> tuple[Example | None, str]:
    if correction.intent is None and correction.entities is None:
        return None, "it corrects neither the intent nor entities"
    intent = correction.final_intent
    if intent in (None, FALLBACK_INTENT):
        return None, "its intent is not known"
    name, _, key = str(intent).partition("/")
    return (
        Example(
            text=correction.text,
            intent=name,
            entities=correction.final_entities,
            response=str(intent) if key else None,
            source=f"correction:{correction.id}",
        ),
        "",
    )


def _draw(key: str) -> float:
    """A number in [0, 1) that a text always gets."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _overruled(base: Sequence[Example], merged: dict[str, Example]) -> tuple[Example, ...]:
    return tuple(
        e for e in base if fold(e.text) in merged and merged[fold(e.text)].intent != e.intent
    )
