"""How far reviewers agree."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.feedback.queue_item import QueueItem


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over items that several reviewers judged.

    `share` in [0, 1] agreed; `alpha` is Krippendorff's, 1 = perfect, 0 = as by chance, None
    where nothing varies; `pairs` maps two reviewers to (agreed, judged together).
    """

    items: int
    agreed: int
    share: float | None
    alpha: float | None
    pairs: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


def measure_agreement(items: Iterable[QueueItem]) -> Agreement:
    """The agreement of the verdicts on items; each reviewer's last word counts, skips do not."""
    judged = [latest for item in items if len(latest := _latest(item)) > 1]
    pairs: dict[tuple[str, str], tuple[int, int]] = {}
    for labels in judged:
        names = sorted(labels)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                same, both = pairs.get((first, second), (0, 0))
                pairs[first, second] = (same + (labels[first] == labels[second]), both + 1)
    agreed = sum(len(set(labels.values())) == 1 for labels in judged)
    share = agreed / len(judged) if judged else None
    alpha = nominal_alpha([list(labels.values()) for labels in judged])
    return Agreement(len(judged), agreed, share, alpha, pairs)


def nominal_alpha(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Krippendorff's alpha for names: 1 - observed / expected disagreement.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C.

    Args:
        units: for each judged thing the labels it got, at least two.

    >>> nominal_alpha([["a", "a"], ["b", "b"]])
    1.0
    """
    totals: Counter[Hashable] = Counter()
    observed = 0.0
    for labels in units:
        counts = Counter(labels)
        totals.update(counts)
        same = sum(n * (n - 1) for n in counts.values())
        observed += (len(labels) * (len(labels) - 1) - same) / (len(labels) - 1)
    n = sum(totals.values())
    expected = n * n - sum(count * count for count in totals.values())
    if n < 2 or expected == 0:
        return None
    return 1.0 - (n - 1) * observed / expected


def _latest(item: QueueItem) -> dict[str, Hashable]:
    return {v.by: v.finding for v in item.opinions}
