"""How much of a reviewer's time an item of the queue is worth, and why."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import log2

from agent.feedback.correction import Trust
from agent.feedback.queue_item import Noticed, Proposal, QueueItem, Reason
from agent.turn import FALLBACK_INTENT, IntentScore, Neighbour

# Weights were chosen on BANKING77's and CLINC150's training parts, split by us.
_UNSURE, _SCOPE, _DISAGREEMENT, _COMPLAINT, _DISPUTE = 1.0, 0.5, 0.7, 0.9, 3.0
_DRAWN, _SECOND, _HANDOFF = 0.1, 0.1, 0.1
# How near the threshold an out-of-scope score is worth a look.
_SCOPE_BAND = 0.25
# How far a word is believed; the anonymous together never count as much as one known person.
_BELIEF: dict[Trust, float] = {"reviewer": 1.0, "signed_in": 0.6, "anonymous": 0.25}
_ANONYMOUS_LIMIT = 0.5
_MOST_FREQUENT = 2.0
# What each kind of signal says, for people.
_SIGNS = {
    "none_of_these": "nothing that was offered was meant",
    "clarified": "the user had to choose what was meant",
    "rephrased": "said again in other words",
    "given_up": "a person had to take over",
    "abandoned": "the user left without an answer",
}
WORTH_A_LOOK = 0.35
"""Score from which a message that nobody complained about enters the queue."""


def assess(
    item: QueueItem, *, threshold: float = 0.5, title: Callable[[str], str] = str
) -> QueueItem:
    """The item with its reasons and score.

    The score is the sum of the reasons' weights times a factor in [1, 2] for how many
    messages it stands for.

    Args:
        item: what is known about the message.
        threshold: the `in_scope` value in [0, 1] below which a message falls back.
        title: an intent's name for people, in the reasons' notes.
    """
    reasons = sorted(_reasons(item, threshold, title), key=lambda reason: -reason.weight)
    score = sum(reason.weight for reason in reasons)
    factor = min(_MOST_FREQUENT, 1.0 + 0.2 * log2(max(item.count, 1)))
    if factor > 1.0:
        note = f"{item.count} messages like it"
        reasons.append(Reason("frequent", round(score * (factor - 1.0), 4), note))
    return replace(item, reasons=tuple(reasons), score=round(score * factor, 4))


def _reasons(item: QueueItem, threshold: float, title: Callable[[str], str]) -> Iterator[Reason]:
    ranked = [score for score in item.alternatives if score.intent != FALLBACK_INTENT]
    yield from _unsure(ranked, title)
    if item.in_scope is not None:
        yield from _near_threshold(item.in_scope, threshold)
    yield from _disagreement(ranked, item.nearest, title)
    complained = [one for one in item.noticed if one.kind != "handoff"]
    yield from _complaints(complained, item.proposals, title)
    if len(complained) < len(item.noticed):
        yield Reason("handoff", _HANDOFF, "a person was asked for")
    if item.state == "disputed":
        yield Reason("dispute", _DISPUTE, "reviewers disagree")
    elif item.opinions and item.state == "open":
        yield Reason("second", _SECOND, "a second opinion is wanted")
    if item.drawn:
        yield Reason("drawn", _DRAWN, "drawn at random: it tells how good the model is")


def _unsure(ranked: Sequence[IntentScore], title: Callable[[str], str]) -> Iterator[Reason]:
    if not ranked:
        return
    second = ranked[1].confidence if len(ranked) > 1 else 0.0
    margin = max(0.0, ranked[0].confidence - second)
    if margin < 1.0:
        note = ", ".join(f"{s.confidence:.0%} {title(s.intent)}" for s in ranked[:2])
        yield Reason("unsure", _UNSURE * (1.0 - margin), note)


def _near_threshold(in_scope: float, threshold: float) -> Iterator[Reason]:
    nearness = 1.0 - abs(in_scope - threshold) / _SCOPE_BAND
    if nearness > 0:
        note = f"in scope {in_scope:.0%}, the threshold is {threshold:.0%}"
        yield Reason("scope", _SCOPE * nearness, note)


def _disagreement(
    ranked: Sequence[IntentScore], nearest: Sequence[Neighbour], title: Callable[[str], str]
) -> Iterator[Reason]:
    """The share of the nearest examples' vote (by cosine) that the best intent did not get."""
    votes: dict[str, float] = defaultdict(float)
    for neighbour in nearest:
        if neighbour.intent is not None:
            votes[neighbour.intent] += max(neighbour.similarity, 0.0)
    if not votes or not ranked:
        return
    best = max(votes, key=lambda intent: votes[intent])
    share = 1.0 - votes.get(ranked[0].intent, 0.0) / max(sum(votes.values()), 1e-9)
    if best != ranked[0].intent:
        note = f"the nearest examples say {title(best)}, the model {title(ranked[0].intent)}"
        yield Reason("disagreement", _DISAGREEMENT * share, note)


def _complaints(
    noticed: Sequence[Noticed], proposals: Sequence[Proposal], title: Callable[[str], str]
) -> Iterator[Reason]:
    """Independent voices add up as chances do; the anonymous ones together have a limit."""
    doubt, anonymous = 1.0, 1.0
    voices: list[Trust] = [one.trust for one in noticed]
    voices += [p.trust for p in proposals if not p.liked for _ in range(p.votes)]
    for trust in voices:
        if trust == "anonymous":
            anonymous *= 1.0 - _BELIEF[trust]
        else:
            doubt *= 1.0 - _BELIEF[trust]
    strength = 1.0 - doubt * max(anonymous, 1.0 - _ANONYMOUS_LIMIT)
    if strength <= 0:
        return
    kinds = dict.fromkeys(_SIGNS.get(one.kind, one.kind) for one in noticed)
    note = ", ".join([*kinds, *dict.fromkeys(_wish(one, title) for one in proposals)])
    yield Reason("complaint" if noticed else "proposal", _COMPLAINT * strength, note)


def _wish(proposal: Proposal, title: Callable[[str], str]) -> str:
    if proposal.by_model and proposal.votes == 1:
        return f"the language model says {title(proposal.intent or '')}"
    if proposal.intent:
        return f"users say {title(proposal.intent)}"
    if proposal.answer:
        return "users want another answer"
    if proposal.entities is not None:
        return "users mark other entities"
    return "users found it helpful" if proposal.liked else "users found it not helpful"
