"""The gate: does the challenger take the champion's place?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Literal

SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True)
class Evidence:
    """How one model did, without the correction memory.

    `frozen`, `held_out` and `taught` hold, item by item, whether it was right: on the frozen
    test split, on the corrections held out, and on those it (or its challenger) was trained on.
    `intents` are the gold intents of `frozen`. `entity_f1` is in [0, 1] (None: no entities),
    `stories_failed` counts failed test stories, `latency_ms` is a message's median.
    """

    frozen: Sequence[bool] = ()
    intents: Sequence[str] = ()
    held_out: Sequence[bool] = ()
    taught: Sequence[bool] = ()
    entity_f1: float | None = None
    stories_failed: int = 0
    latency_ms: float = 0.0

    def figures(self) -> dict[str, float | int | None]:
        """The summary that reports keep."""
        return {
            "frozen_accuracy": share(self.frozen),
            "frozen_n": len(self.frozen),
            "held_out_accuracy": share(self.held_out),
            "held_out_n": len(self.held_out),
            "taught_accuracy": share(self.taught),
            "taught_n": len(self.taught),
            "entity_f1": self.entity_f1,
            "stories_failed": self.stories_failed,
            "latency_ms": round(self.latency_ms, 3),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or keep, with the reason for people and the intents that got worse."""

    decision: Literal["promoted", "kept"]
    reason: str
    regressions: Mapping[str, int] = field(default_factory=dict)


def judge(champion: Evidence, challenger: Evidence, *, tolerance: float) -> Verdict:
    """Whether the challenger is better on what reviewers said and no worse on the frozen tests.

    It is kept out if it loses more than `tolerance` of accuracy (or one point of entity F1) on
    the frozen split, loses there significantly (McNemar's exact test), fails more test stories,
    is more than twice as slow, or does not do better on the corrections.
    """
    worse = _regressions(champion, challenger)
    for reason in (
        _frozen_loss(champion, challenger, tolerance),
        _entity_loss(champion, challenger),
        _story_loss(champion, challenger),
        _slower(champion, challenger),
        _no_gain(champion, challenger),
    ):
        if reason:
            return Verdict("kept", reason, worse)
    return Verdict("promoted", _gain(champion, challenger), worse)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """The two-sided exact p-value that two paired lists of hits differ by chance alone.

    Source: McNemar 1947; the exact form is a binomial test on the discordant pairs.

    >>> mcnemar([True] * 6, [False] * 6)
    0.03125
    """
    wins = sum(a and not b for a, b in zip(first, second, strict=True))
    losses = sum(b and not a for a, b in zip(first, second, strict=True))
    n = wins + losses
    tail = sum(comb(n, k) for k in range(min(wins, losses) + 1))
    return float(min(1.0, 2 * tail / 2**n))


def share(hits: Sequence[bool]) -> float | None:
    """The share of hits in [0, 1], None of nothing."""
    return round(sum(hits) / len(hits), 6) if hits else None


def _frozen_loss(champion: Evidence, challenger: Evidence, tolerance: float) -> str:
    before, after = share(champion.frozen), share(challenger.frozen)
    if before is None or after is None or after >= before:
        return ""
    p = mcnemar(champion.frozen, challenger.frozen)
    if before - after > tolerance or p < SIGNIFICANCE:
        return f"accuracy on the frozen tests fell from {before:.4f} to {after:.4f} (p = {p:.3f})"
    return ""


def _entity_loss(champion: Evidence, challenger: Evidence) -> str:
    before, after = champion.entity_f1, challenger.entity_f1
    if before is None or after is None or before - after <= 0.01:
        return ""
    return f"entity F1 on the frozen tests fell from {before:.4f} to {after:.4f}"


def _story_loss(champion: Evidence, challenger: Evidence) -> str:
    if challenger.stories_failed <= champion.stories_failed:
        return ""
    return (
        f"{challenger.stories_failed} test stories fail, {champion.stories_failed} did with "
        "the present model"
    )


def _slower(champion: Evidence, challenger: Evidence) -> str:
    if not champion.latency_ms or challenger.latency_ms <= 2 * champion.latency_ms:
        return ""
    return f"a message takes {challenger.latency_ms:.1f} ms instead of {champion.latency_ms:.1f}"


def _no_gain(champion: Evidence, challenger: Evidence) -> str:
    if sum(challenger.held_out) < sum(champion.held_out):
        return (
            f"it is right on {sum(challenger.held_out)} of {len(challenger.held_out)} corrections "
            f"held out, the present model on {sum(champion.held_out)}"
        )
    gained = sum(challenger.held_out) > sum(champion.held_out)
    if gained or sum(challenger.taught) > sum(champion.taught):
        return ""
    return "it does no better on the corrections than the present model"


def _gain(champion: Evidence, challenger: Evidence) -> str:
    parts = []
    for name, before, after in (
        ("corrections held out", champion.held_out, challenger.held_out),
        ("corrections learned", champion.taught, challenger.taught),
        ("frozen tests", champion.frozen, challenger.frozen),
    ):
        if after:
            parts.append(f"{name}: {sum(before)} → {sum(after)} of {len(after)} right")
    return "; ".join(parts)


def _regressions(champion: Evidence, challenger: Evidence) -> dict[str, int]:
    """How many more errors each intent has on the frozen tests, where it has more."""
    change: dict[str, int] = {}
    rows = zip(challenger.intents, champion.frozen, challenger.frozen, strict=True)
    for intent, before, after in rows:
        change[intent] = change.get(intent, 0) + int(before) - int(after)
    return {intent: lost for intent, lost in sorted(change.items()) if lost > 0}
