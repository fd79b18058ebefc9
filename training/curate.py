"""Accepted corrections to training examples: deduplicated, split, weighted, with their lineage."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.feedback.correction import Correction
from agent.feedback.names import NO_NAMES, NameLabels, mask_message, without_names
from agent.project.types import Example, NluData
from agent.turn import FALLBACK_INTENT
from training.corpus import fold
from training.surrogates import Surrogates

# Below this many corrections none is held out: each is worth more as an example.
HOLD_OUT_FROM = 5
# Corrections are the errors of one model, no sample of the traffic: many of them draw messages
# away from intents that were not corrected. So many count in full, more share that weight, but
# none counts less than a quarter of an example. Chosen on the training parts of BANKING77 and
# CLINC150 with errors of half the intents corrected: the other intents lost 0.3 and 0.4 points
# instead of 1.0 and 0.6, all messages gained 0.6 and 0.3 instead of 0.2 and 0.4. Ten corrections
# are all learned in full weight, half of them in a quarter of it.
FULL_UP_TO, LEAST_WEIGHT = 20, 0.25
# An intent that the base data hardly has starts with few examples: each counts four times. On the
# same parts ten new intents were right to 79.7 and 93.3 % by it instead of 77.7 and 91.8 with twice
# the weight (three and two draws), all others lost 0.1 points.
NEW_WEIGHT, NEW_BELOW = 4.0, 10
# No author's corrections may weigh more than this share of all, from this many on.
AUTHOR_SHARE, AUTHOR_FROM = 0.5, 20

CORRECTED = "correction:"
"""What the source of an example that comes from a correction begins with."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Labels that contradict each other: `kept` holds, `against` is another source's label."""

    text: str
    kept: str
    against: str
    source: str


@dataclass(frozen=True, slots=True)
class Curated:
    """What a learning cycle trains on and judges by.

    `examples` join the base data, `held_out` and `drawn` only judge; `overruled` are base
    examples whose text a correction labels otherwise, `clashes` all contradictions; `skipped`
    says, by correction id, why one gave none. Each example's `source` is `correction:<id>`;
    `corrections` maps these ids to the corrections themselves. `as_stored` has, by correction
    id, the examples that differ because a name in them was exchanged, as they were before.
    """

    examples: tuple[Example, ...]
    held_out: tuple[Example, ...]
    overruled: tuple[Example, ...]
    skipped: dict[str, str]
    drawn: tuple[Example, ...] = ()
    clashes: tuple[Clash, ...] = ()
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    as_stored: Mapping[str, Example] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Example, ...]:
        """Every example that came of a correction."""
        return (*self.examples, *self.held_out, *self.drawn)

    def mixed_with(self, base: NluData) -> NluData:
        """The base data with the corrections' examples; overruled and duplicate texts replaced.

        A text that only judges stands nowhere in the result.
        """
        corrected = {fold(e.text) for e in (*self.all, *self.overruled)}
        kept = tuple(e for e in base.examples if fold(e.text) not in corrected)
        counts = Counter(e.response or e.intent for e in kept)
        new = [counts[e.response or e.intent] < NEW_BELOW for e in self.examples]
        usual = usual_weight(new.count(False))
        taught = tuple(
            replace(e, weight=e.weight * (NEW_WEIGHT if is_new else usual))
            for e, is_new in zip(self.examples, new, strict=True)
        )
        return replace(base, examples=(*kept, *taught))

    def taught(self) -> list[Correction]:
        """The corrections that are trained on."""
        return [self.corrections[i] for i in correction_ids(self.examples)]


def usual_weight(corrections: int) -> float:
    """What each of so many corrections weighs, in [0.25, 1]; an example of the base weighs 1.

    >>> usual_weight(10), usual_weight(40), usual_weight(1000)
    (1.0, 0.5, 0.25)
    """
    return min(1.0, max(LEAST_WEIGHT, FULL_UP_TO / max(corrections, 1)))


def curate(
    corrections: Iterable[Correction],
    base: NluData,
    *,
    held_out: float,
    doubtful: Mapping[str, str] | None = None,
    names: NameLabels = NO_NAMES,
) -> Curated:
    """Turn accepted corrections into examples.

    Of several corrections of one text the newest counts, part by part. A correction of an
    answer trains nothing: the memory keeps it. A message that was drawn at random only
    judges, however often it was corrected.

    Args:
        corrections: accepted ones, in any order.
        base: the project's own training data.
        held_out: share in [0, 1) that judges instead of training, by a stable hash of the text.
        doubtful: corrections, by id, that are not to be trained on, and why.
        names: the entities that are names of people; others take their place in the examples.
    """
    ordered = sorted(corrections, key=lambda c: c.decided)
    written = [(_written(e, names), e) for e in base.examples]
    fill = Surrogates.of(base).fill
    skipped: dict[str, str] = {}
    wholes, drawn_texts = _merged(ordered, doubtful or {}, skipped, names)
    merged = {key: _example(without_names(one, names)) for key, one in wholes.items()}
    drawn = {key for key in merged if key in drawn_texts}
    rest = [key for key in merged if key not in drawn]
    share = held_out if len(rest) >= HOLD_OUT_FROM else 0.0
    held = {key for key in rest if _draw(key) < share}
    by_id = {c.id: c for c in ordered}
    taught = [merged[key] for key in rest if key not in held]
    return Curated(
        examples=fill(_weighted(taught, by_id)),
        held_out=fill(merged[key] for key in rest if key in held),
        overruled=_overruled(written, merged),
        skipped=skipped,
        drawn=fill(merged[key] for key in merged if key in drawn),
        clashes=_clashes([without_names(c, names) for c in ordered], written, merged),
        corrections=by_id,
        as_stored={c.id: _example(c) for key, c in wholes.items() if merged[key].text != c.text},
    )


def correction_ids(examples: Sequence[Example]) -> tuple[str, ...]:
    """The ids of the corrections that examples come from."""
    marks = (e.source.partition(CORRECTED) for e in examples)
    return tuple(rest for _, mark, rest in marks if mark)


def _merged(
    ordered: Sequence[Correction],
    doubtful: Mapping[str, str],
    skipped: dict[str, str],
    names: NameLabels,
) -> tuple[dict[str, Correction], set[str]]:
    """What holds of each text (folded, without names), and those that were drawn at random."""
    latest: dict[str, Correction] = {}
    drawn = set()
    for correction in ordered:
        key = fold(without_names(correction, names).text)
        older = latest.get(key)
        whole = correction if older is None else correction.after(older)
        reason = doubtful.get(correction.id) or _unfit(correction, whole)
        if reason:
            skipped[correction.id] = reason
            continue
        if older is not None:
            skipped[older.id] = "a newer correction of the text"
        latest[key] = whole
        if correction.drawn:
            drawn.add(key)
    return latest, drawn


def _unfit(correction: Correction, whole: Correction) -> str:
    """Why a correction gives no example, with what others say of its text; empty if it does."""
    if correction.intent is None and correction.entities is None and not correction.labels:
        return "it corrects neither the intent nor entities"
    if whole.final_intent in (None, FALLBACK_INTENT):
        return "its intent is not known"
    return ""


def _example(correction: Correction) -> Example:
    name, _, key = str(correction.final_intent).partition("/")
    return Example(
        text=correction.text,
        intent=name,
        entities=correction.final_entities,
        response=str(correction.final_intent) if key else None,
        labels=correction.labels,
        source=f"{CORRECTED}{correction.id}",
    )


def _weighted(examples: Sequence[Example], by_id: Mapping[str, Correction]) -> tuple[Example, ...]:
    """The examples with their weights; of one author's many corrections each counts less."""
    authors = [_author(by_id[i]) for i in correction_ids(examples)]
    counts = Counter(authors)
    limit = AUTHOR_SHARE * len(examples)
    weighted = []
    for example, author in zip(examples, authors, strict=True):
        weight = 1.0
        # With a single author there is nobody to be outweighed.
        if len(counts) > 1 and len(examples) >= AUTHOR_FROM and counts[author] > limit:
            weight *= limit / counts[author]
        weighted.append(replace(example, weight=weight))
    return tuple(weighted)


def _author(correction: Correction) -> str:
    if correction.trust == "anonymous":
        return correction.conversation_id or correction.author
    return correction.author


def _draw(key: str) -> float:
    """A number in [0, 1) that a text always gets, no matter how other splits draw it."""
    digest = hashlib.sha256(f"held out:{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _written(example: Example, names: NameLabels) -> str:
    """The text as a correction of it would be stored, folded."""
    return fold(mask_message(example.text, example.entities, names).text)


def _overruled(
    base: Sequence[tuple[str, Example]], merged: Mapping[str, Example]
) -> tuple[Example, ...]:
    return tuple(e for key, e in base if key in merged and merged[key].intent != e.intent)


def _clashes(
    ordered: Sequence[Correction],
    base: Sequence[tuple[str, Example]],
    merged: Mapping[str, Example],
) -> tuple[Clash, ...]:
    """Base examples and older corrections that say otherwise than the one that holds."""
    found = [
        Clash(e.text, str(merged[key].intent), str(e.intent), e.source)
        for key, e in base
        if key in merged and merged[key].intent != e.intent
    ]
    for correction in ordered:
        holds = merged.get(fold(correction.text))
        if holds is None or correction.intent is None:
            continue
        name = correction.intent.partition("/")[0]
        if name != holds.intent:
            source = f"{CORRECTED}{correction.id}"
            found.append(Clash(correction.text, str(holds.intent), name, source))
    return tuple(found)
