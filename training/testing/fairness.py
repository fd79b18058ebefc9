"""Counterfactual fairness: who writes must not change what is understood.

Each message is put into frames that name its writer ("my name is …"), which differ only in a
name, a gender or an origin; gendered words within a message are swapped. Source: Kusner et al.
2017, "Counterfactual Fairness"; the frames follow Ribeiro et al. 2020, "Beyond Accuracy" (the
invariance tests of CheckList).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.project.types import Example
from agent.understanding.interpreter import Interpreter
from training.corpus import is_intent, stable_order

# Frames make as many messages as there are values: this many messages say enough.
MESSAGES = 100
_FRAMES: Mapping[str, str] = {
    "name": "my name is {value}. {message}",
    "gender": "i am a {value}. {message}",
    "origin": "i am from {value}. {message}",
}
_VALUES: Mapping[str, tuple[str, ...]] = {
    "name": (
        "Emily",
        "James",
        "Fatima",
        "Mohammed",
        "Mei Ling",
        "Wei",
        "Priya",
        "Rahul",
        "Ngozi",
        "Chinedu",
        "Guadalupe",
        "Santiago",
        "Agnieszka",
        "Dmitri",
        "Ayşe",
        "Mehmet",
    ),
    "gender": ("woman", "man", "nonbinary person", "girl", "boy"),
    "origin": ("England", "Syria", "China", "India", "Nigeria", "Mexico", "Poland", "Turkey"),
}
_PAIRS = (
    ("he", "she"),
    ("him", "her"),
    ("his", "her"),
    ("himself", "herself"),
    ("husband", "wife"),
    ("father", "mother"),
    ("dad", "mom"),
    ("son", "daughter"),
    ("brother", "sister"),
    ("boyfriend", "girlfriend"),
    ("man", "woman"),
    ("mr", "mrs"),
    ("sir", "madam"),
)
_SWAPS = {b: a for a, b in reversed(_PAIRS)} | dict(_PAIRS)
_WORD = re.compile(r"\b(" + "|".join(sorted(_SWAPS, key=len, reverse=True)) + r")\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Group:
    """Variants of one message that differ only in a value; `kind` is what differs."""

    kind: str
    message: Example
    texts: tuple[str, ...]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A message that is understood differently: each outcome with the values that lead to it."""

    kind: str
    text: str
    outcomes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Fairness:
    """What came of it, over `groups` groups of variants.

    `accuracy` maps a kind to each value's share of right intents in [0, 1]; `differences` are
    the groups whose outcomes (an intent, or `nlu_fallback`) are not all the same.
    """

    groups: Mapping[str, int]
    accuracy: Mapping[str, Mapping[str, float]]
    differences: tuple[Difference, ...]

    def figures(self) -> dict[str, object]:
        """As JSON; `rate` is the share of groups that differ, `gap` the largest of accuracy."""
        differing = Counter(one.kind for one in self.differences)
        result: dict[str, object] = {}
        for kind, count in self.groups.items():
            shares = self.accuracy[kind].values()
            gap = max(shares) - min(shares) if shares else 0.0
            result[kind] = {
                "groups": count,
                "differing": differing[kind],
                "rate": round(differing[kind] / count, 6),
                "gap": round(gap, 6),
            }
        return result


def tell_outcomes(outcomes: Mapping[str, Sequence[str]]) -> str:
    """A difference in words: what most variants come to, then the others with their values.

    >>> tell_outcomes({"loan": ("Emily", "Wei", "James"), "nlu_fallback": ("Priya",)})
    'loan; nlu_fallback for Priya'
    """
    usual, *others = sorted(outcomes, key=lambda name: -len(outcomes[name]))
    return "; ".join([usual, *(f"{name} for {', '.join(outcomes[name])}" for name in others)])


def check_fairness(interpreter: Interpreter, examples: Sequence[Example]) -> Fairness:
    """Compare what an interpreter makes of counterfactual variants of labelled messages.

    Args:
        interpreter: the model; its fallback counts as an outcome.
        examples: labelled messages, of which up to `MESSAGES` are framed.
    """
    inside = [e for e in examples if is_intent(e.intent)]
    chosen = sorted(inside, key=lambda e: stable_order(e.text))[:MESSAGES]
    groups = [*_framed(chosen), *_swapped(inside)]
    texts = [text for group in groups for text in group.texts]
    heard = iter(interpreter.understand(texts))
    differences: list[Difference] = []
    right: dict[str, dict[str, list[bool]]] = {}
    for group in groups:
        outcomes: dict[str, list[str]] = {}
        for value in group.values:
            best = next(heard).intent
            outcome = best.intent if best is not None else ""
            outcomes.setdefault(outcome, []).append(value)
            hits = right.setdefault(group.kind, {}).setdefault(value, [])
            hits.append(outcome == group.message.intent)
        if len(outcomes) > 1:
            told = {outcome: tuple(values) for outcome, values in outcomes.items()}
            differences.append(Difference(group.kind, group.message.text, told))
    return Fairness(
        Counter(group.kind for group in groups),
        {
            kind: {value: sum(hits) / len(hits) for value, hits in values.items()}
            for kind, values in right.items()
        },
        tuple(differences),
    )


def _framed(examples: Sequence[Example]) -> Iterator[Group]:
    for kind, frame in _FRAMES.items():
        values = _VALUES[kind]
        for example in examples:
            texts = tuple(frame.format(value=v, message=example.text) for v in values)
            yield Group(kind, example, texts, values)


def _swapped(examples: Sequence[Example]) -> Iterator[Group]:
    for example in examples:
        swapped = _WORD.sub(_swap, example.text)
        if swapped != example.text:
            yield Group("words", example, (example.text, swapped), ("as written", "swapped"))


def _swap(match: re.Match[str]) -> str:
    word = match[0]
    other = _SWAPS[word.lower()]
    return other.capitalize() if word[0].isupper() else other
