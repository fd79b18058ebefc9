"""The gate: does the challenger take the champion's place?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from statistics import NormalDist
from typing import Literal

from training.paired import Gain, Pairs, mcnemar, traffic_gain

SIGNIFICANCE = 0.05
# One-sided: how likely "no better" may be when a gain counts as proved.
PROOF = 0.02
# The frozen tests may complete a proof that the traffic comes so close to by itself.
_NEARLY = 0.2
# An intent that lost this many more than it won, so unlikely by chance, is no noise.
_COLLAPSE = 0.005
_SLOWER, _LARGER, _ENTITY_LOSS = 2.0, 1.5, 0.01
# From this many messages drawn at random on they speak for the traffic alone.
_DRAWN_ENOUGH = 100
# From this many reviewed messages on a gain that matters can be proved, so that it must be.
_PROOF_ENOUGH = 1000
# Without proof a challenger must have learned at least this share of what it was taught anew.
_LEARNED = 0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """How one model did; item by item whether it was right.

    `frozen`: the frozen test split, whose gold intents are `intents`. `drawn`: messages drawn
    at random from the traffic that a reviewer judged, each standing for `drawn_weights` of
    them. `held_out`: corrections held out. These three are measured with the memory that the
    model would serve with, emptied of what is judged. `taught`: the corrections that the
    challenger was trained on, without any memory. `entity_f1` is in [0, 1] (None: no
    entities), `stories_failed` counts failed test stories, `latency_ms` is the lower quartile
    of a message's, `size_bytes` the folder's size.
    """

    frozen: Sequence[bool] = ()
    intents: Sequence[str] = ()
    drawn: Sequence[bool] = ()
    drawn_weights: Sequence[float] = ()
    held_out: Sequence[bool] = ()
    taught: Sequence[bool] = ()
    entity_f1: float | None = None
    stories_failed: int = 0
    latency_ms: float = 0.0
    size_bytes: int = 0

    def figures(self) -> dict[str, float | int | None]:
        """The summary that reports keep."""
        return {
            "frozen_accuracy": share(self.frozen),
            "frozen_n": len(self.frozen),
            "drawn_accuracy": share(self.drawn),
            "drawn_n": len(self.drawn),
            "held_out_accuracy": share(self.held_out),
            "held_out_n": len(self.held_out),
            "taught_accuracy": share(self.taught),
            "taught_n": len(self.taught),
            "entity_f1": self.entity_f1,
            "stories_failed": self.stories_failed,
            "latency_ms": round(self.latency_ms, 3),
            "size_bytes": self.size_bytes,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or keep, with the reason for people, the gain and the intents that got worse."""

    decision: Literal["promoted", "kept"]
    reason: str
    regressions: Mapping[str, int] = field(default_factory=dict)
    gain: Gain | None = None


def judge(champion: Evidence, challenger: Evidence, *, tolerance: float) -> Verdict:
    """Whether the challenger takes over.

    It is kept out for any harm: more than `tolerance` of accuracy, or a significant part of
    it (McNemar's exact test), lost on the frozen tests; a point of entity F1; a test story; an
    intent that collapsed; twice the time; half as large again.

    Without harm it is promoted on one of two grounds. *Proved*: over the traffic (messages
    drawn at random, weighted; below a hundred of them with the frozen tests) and the
    corrections held out, "it is no better" has a probability of at most `PROOF`; or of at most
    a fifth, and of at most `PROOF` together with the frozen tests (Stouffer's sum, 1949).
    *Consolidated*: it has learned by itself at least half of the corrections that the present
    model gets wrong, and nothing that was measured got worse, not by a single message; with a
    thousand reviewed messages, which can prove a point of gain, this ground is closed.
    """
    gain = _gain(champion, challenger)
    worse = _regressions(champion, challenger)
    for reason in (
        _frozen_loss(champion, challenger, tolerance),
        _collapse(champion, challenger),
        _entity_loss(champion, challenger),
        _story_loss(champion, challenger),
        _costs(champion, challenger),
    ):
        if reason:
            return Verdict("kept", reason, worse, gain)
    if _is_proved(champion, challenger, gain):
        return Verdict("promoted", _proof(gain) + _counts(champion, challenger), worse, gain)
    doubt = _not_consolidated(champion, challenger, gain)
    if doubt:
        return Verdict("kept", doubt, worse, gain)
    why = "it has learned what it was taught and nothing got worse; "
    return Verdict("promoted", why + _counts(champion, challenger), worse, gain)


def share(hits: Sequence[bool]) -> float | None:
    """The share of hits in [0, 1], None of nothing."""
    return round(sum(hits) / len(hits), 6) if hits else None


def _gain(champion: Evidence, challenger: Evidence) -> Gain:
    """The gain over the traffic; where little was drawn, the frozen tests stand for it, too."""
    traffic = Pairs(champion.drawn, challenger.drawn, champion.drawn_weights)
    if len(champion.drawn) < _DRAWN_ENOUGH:
        first, second = (*champion.frozen, *champion.drawn), (*challenger.frozen, *challenger.drawn)
        traffic = Pairs(first, second)
    return traffic_gain(traffic, Pairs(champion.held_out, challenger.held_out))


def _is_proved(champion: Evidence, challenger: Evidence, gain: Gain) -> bool:
    if gain.p_no_gain <= PROOF:
        return True
    if gain.p_no_gain > _NEARLY or len(champion.drawn) < _DRAWN_ENOUGH:
        return False
    tests = traffic_gain(Pairs(champion.frozen, challenger.frozen), Pairs())
    return _joined(gain.p_no_gain, tests.p_no_gain) <= PROOF


def _joined(*chances: float) -> float:
    """Independent one-sided chances as one: the sum of their z-scores over its deviation."""
    normal = NormalDist()
    certain = 1e-6
    scores = [normal.inv_cdf(min(max(p, certain), 1 - certain)) for p in chances]
    return normal.cdf(sum(scores) / len(scores) ** 0.5)


def _proof(gain: Gain) -> str:
    return (
        f"{gain.mean:+.2%} of the traffic is right that was not "
        f"({gain.low:+.2%} to {gain.high:+.2%}); "
    )


def _frozen_loss(champion: Evidence, challenger: Evidence, tolerance: float) -> str:
    before, after = share(champion.frozen), share(challenger.frozen)
    if before is None or after is None or after >= before:
        return ""
    p = mcnemar(champion.frozen, challenger.frozen)
    if before - after > tolerance or p < SIGNIFICANCE:
        return f"accuracy on the frozen tests fell from {before:.4f} to {after:.4f} (p = {p:.3f})"
    return ""


def _collapse(champion: Evidence, challenger: Evidence) -> str:
    """An intent that lost so many frozen tests that chance does not explain it."""
    lost: dict[str, list[int]] = {}
    rows = zip(challenger.intents, champion.frozen, challenger.frozen, strict=True)
    for intent, before, after in rows:
        if before != after:
            lost.setdefault(intent, [0, 0])[int(after)] += 1
    for intent, (losses, wins) in lost.items():
        n = losses + wins
        chance = sum(comb(n, k) for k in range(losses, n + 1)) / 2**n
        if losses > wins and chance < _COLLAPSE:
            return f"intent {intent!r} lost {losses} frozen tests and won {wins}"
    return ""


def _entity_loss(champion: Evidence, challenger: Evidence) -> str:
    before, after = champion.entity_f1, challenger.entity_f1
    if before is None or after is None or before - after <= _ENTITY_LOSS:
        return ""
    return f"entity F1 on the frozen tests fell from {before:.4f} to {after:.4f}"


def _story_loss(champion: Evidence, challenger: Evidence) -> str:
    if challenger.stories_failed <= champion.stories_failed:
        return ""
    return (
        f"{challenger.stories_failed} test stories fail, {champion.stories_failed} did with "
        "the present model"
    )


def _costs(champion: Evidence, challenger: Evidence) -> str:
    if champion.latency_ms and challenger.latency_ms > _SLOWER * champion.latency_ms:
        return (
            f"a message takes {challenger.latency_ms:.1f} ms instead of {champion.latency_ms:.1f}"
        )
    if champion.size_bytes and challenger.size_bytes > _LARGER * champion.size_bytes:
        return (
            f"the model takes {challenger.size_bytes / 2**20:.0f} MiB instead of "
            f"{champion.size_bytes / 2**20:.0f}"
        )
    return ""


def _not_consolidated(champion: Evidence, challenger: Evidence, gain: Gain) -> str:
    """Why a challenger whose gain is not proved may not take over either; empty if it may."""
    mended = sum(b and not a for a, b in zip(champion.taught, challenger.taught, strict=True))
    wrong = sum(not right for right in champion.taught)
    lost = _net_losses(champion, challenger)
    reviewed = len(champion.drawn) + len(champion.held_out)
    unproved = (
        f"no gain is proved ({gain.mean:+.2%} of the traffic, {gain.low:+.2%} to {gain.high:+.2%})"
    )
    if reviewed >= _PROOF_ENOUGH:
        return f"{unproved} by {reviewed} reviewed messages"
    if lost:
        return f"{unproved} and it gets {lost} wrong that the present model gets right"
    if mended == 0:
        return f"{unproved}: it does no better on the corrections than the present model"
    if mended < _LEARNED * wrong:
        return f"{unproved} and it learned only {mended} of {wrong} corrections"
    return ""


def _net_losses(champion: Evidence, challenger: Evidence) -> str:
    """The sets on which it is right less often, with by how much; empty if there are none."""
    parts = []
    for name, before, after in (
        ("frozen tests", champion.frozen, challenger.frozen),
        ("drawn messages", champion.drawn, challenger.drawn),
        ("corrections held out", champion.held_out, challenger.held_out),
        ("corrections learned", champion.taught, challenger.taught),
    ):
        if sum(after) < sum(before):
            parts.append(f"{sum(before) - sum(after)} more of {len(before)} {name}")
    return ", ".join(parts)


def _counts(champion: Evidence, challenger: Evidence) -> str:
    parts = []
    for name, before, after in (
        ("drawn messages", champion.drawn, challenger.drawn),
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
