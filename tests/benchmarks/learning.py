"""Does the assistant get better by corrections? A simulated reviewer on public sets.

Frozen vectors and logistic heads, so that many seeds fit into minutes; memory, curation, doubt,
queue and gate are the real ones. `tests.benchmarks.learning_full` runs the fine-tuning variant.
"""

import random
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import numpy as np

from agent.feedback.feed import memory_entry
from tests.benchmarks.learning_agent import Assistant, fit
from tests.benchmarks.learning_data import Messages, Split, find_sets, load
from tests.benchmarks.learning_queue import queue_figures
from training.promote import Evidence, judge

Figures = dict[str, float | None]

BASE, STREAM, TEST = 3000, 3000, 3000
CORRECTED, SEEDS, DRAWN = 200, 100, 1000
CYCLES, DRAWS, NEW = 3, 3, 10

TARGETS = {
    "next_turn": "= 1",
    "paraphrase_gain": ">= 10 points",
    "harm": "<= 0.2 points",
    "stream_memory_learning": "",
    "stream_learning": "",
    "stream_nothing": "",
    "retrain_ratio": ">= 0.995",
    "time_ratio": "<= 0.25",
    "forgetting": "<= 0.3 points",
    "new_intents": ">= 0.85",
    "flagged": ">= 0.7",
    "flag_rate": "<= 0.15",
    "careless_loss": "<= 0.3 points",
    "worse_refused": "= 100",
    "equal_promoted": "<= 5",
    "better_promoted": ">= 80",
    "lift": ">= 3",
    "flood_lift": ">= 2",
    "unreviewed_changes": "= 0",
}


def run(data: Path, *, seed: int = 0) -> dict[str, Any]:
    """The figures of `TARGETS`, each the mean over the sets found in `data`, and set by set.

    Points are of 100; null says that a set has nothing to measure a figure on.
    """
    sets: dict[str, Figures] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    begun = perf_counter()
    for folder in find_sets(data):
        split = load(folder, base=BASE, stream=STREAM, test=TEST)
        sets[split.name], curves[split.name] = measure(split, seed)
        sys.stderr.write(f"{split.name}: {sets[split.name]}\n")
    if not sets:
        raise SystemExit(f"{data} has no train.jsonl and test.jsonl")
    result: dict[str, Any] = {
        name: average(v for one in sets.values() if (v := one[name]) is not None)
        for name in TARGETS
    }
    took = round(perf_counter() - begun, 1)
    return {**result, "seed": seed, "took_s": took, "sets": sets, "picture": str(draw(curves))}


def table(figures: Mapping[str, Any]) -> str:
    """The figures for people: the mean and each set beside what is asked for."""
    names = list(figures["sets"])
    width = max(14, *(len(name) + 2 for name in names))
    lines = [f"{'':24}{'asked for':16}{'mean':>10}" + "".join(f"{n:>{width}}" for n in names)]
    for name, target in TARGETS.items():
        row = [figures[name], *(figures["sets"][one][name] for one in names)]
        cells = ["-" if value is None else f"{value:.4g}" for value in row]
        rest = "".join(f"{cell:>{width}}" for cell in cells[1:])
        lines.append(f"{name:24}{target:16}{cells[0]:>10}{rest}")
    lines.append(f"picture: {figures['picture']}; {figures['took_s']} s, seed {figures['seed']}")
    return "\n".join(lines) + "\n"


def measure(split: Split, seed: int) -> tuple[Figures, dict[str, list[float]]]:
    """All figures of one set, and the accuracy along the stream by mode."""
    figures: Figures = {}
    figures |= memory_figures(split)
    curve, stream = stream_figures(split, seed)
    figures |= stream
    figures |= averaged([learned_figures(split, seed + draw) for draw in range(DRAWS)])
    figures["new_intents"] = average(new_intents(split, seed + draw) for draw in range(DRAWS))
    figures |= averaged([careless_figures(split, seed + draw) for draw in range(DRAWS)])
    figures |= gate_figures(split, seed)
    figures |= queue_figures(split, seed)
    return figures, curve


def average(values: Iterable[float]) -> float | None:
    """The mean, rounded; None of nothing."""
    found = [float(value) for value in values]
    return round(mean(found), 4) if found else None


def averaged(rows: Sequence[Figures]) -> Figures:
    """Figure by figure the mean of those rows that have it."""
    return {name: average(v for row in rows if (v := row[name]) is not None) for name in rows[0]}


def points(before: Iterable[bool], after: Iterable[bool]) -> float | None:
    """By how many of a hundred messages the second is right more often; None of no messages."""
    first, second = average(before), average(after)
    return None if first is None or second is None else round(100 * (second - first), 4)


def memory_figures(split: Split) -> Figures:
    """What the correction memory does at once: to the message, a paraphrase and all others.

    The paraphrase of a corrected message is the nearest other test message of its intent, if
    it is among its five nearest; a correction of its own is taken out while it is asked.
    """
    agent, test = Assistant(split.base, split.vectors), split.test
    before = agent.head.right(test)
    wrong = [i for i, hit in enumerate(before) if not hit][:CORRECTED]
    made = {i: agent.correct(test.texts[i], test.intents[i]) for i in wrong}
    fixed = [agent.intent(test.texts[i]) == test.intents[i] for i in wrong]
    near = _paraphrases(test, wrong)
    after = []
    for i in near:
        if i in made:
            agent.memory.remove(made[i].id)
        after.append(agent.intent(test.texts[i]) == test.intents[i])
        if i in made:
            agent.memory.add(memory_entry(made[i]))
    others = sorted(set(range(len(test))) - set(near) - set(wrong))
    kept = [agent.intent(test.texts[i]) == test.intents[i] for i in others]
    return {
        "next_turn": average(fixed),
        "paraphrase_gain": points([before[i] for i in near], after),
        "harm": points(kept, [before[i] for i in others]),
    }


def _paraphrases(test: Messages, corrected: Sequence[int]) -> list[int]:
    """The paraphrase of each corrected message that has one."""
    found = []
    for i in corrected:
        cosines = test.vectors @ test.vectors[i]
        cosines[i] = -1
        nearest = np.argsort(-cosines)[:5].tolist()
        found += [j for j in nearest if test.intents[j] == test.intents[i]][:1]
    return found


def stream_figures(split: Split, seed: int) -> tuple[dict[str, list[float]], Figures]:
    """The accuracy along the stream: memory and learning, learning alone, nothing.

    The assistant begins young, with ten examples an intent.
    """
    young = split.base.take(range(10 * len(set(split.base.intents))))
    half = len(split.test) // 2
    frozen, drawn = split.test.take(range(half)), split.test.take(range(half, len(split.test)))
    curves, figures = dict[str, list[float]](), Figures()
    for mode in ("memory and learning", "learning", "nothing"):
        agent = Assistant(young, split.vectors, use_memory=mode.startswith("memory"))
        reviewer, hits, curve = random.Random(seed), list[bool](), list[float]()
        size = max(1, len(split.stream) // (CYCLES + 1))
        for n, (text, gold) in enumerate(
            zip(split.stream.texts, split.stream.intents, strict=True)
        ):
            right = agent.intent(text) == gold
            hits.append(right)
            if mode != "nothing" and not right and reviewer.random() < 0.5:
                agent.correct(text, gold)
            if mode != "nothing" and n % size == size - 1 and n < CYCLES * size:
                agent.learn(frozen.take(range(0, half, 2)), drawn.take(range(0, half, 2)))
            if n % 250 == 249:
                curve.append(mean(hits[-500:]))
        curves[mode] = curve
        figures[f"stream_{mode.replace(' and ', '_')}"] = average(hits)
    return curves, figures


def learned_figures(split: Split, seed: int) -> Figures:
    """Learning from corrections of half the intents, against a retrain on everything.

    The seconds are those of encoding and fitting; calibration and export take the same both
    times. As method `head` does it, a challenger encodes only what the champion does not know.
    `learning_full` measures the same of fine-tuned networks.
    """
    intents = sorted(set(split.test.intents))
    chosen = set(random.Random(seed).sample(intents, len(intents) // 2))
    agent = Assistant(split.base, split.vectors)
    before = agent.head.right(split.test)
    _correct_errors(agent, split.stream, chosen)
    begun = perf_counter()
    challenger = agent.challenger(agent.curated(held_out=0.0))
    learned_s = perf_counter() - begun
    everything = agent.messages(agent.curated().all)
    begun = perf_counter()
    scratch = fit(split.base.joined(everything))
    scratch_s = perf_counter() - begun
    learned_s += _encoding_s(split, len(everything))
    scratch_s += _encoding_s(split, len(split.base) + len(everything))
    after = challenger.right(split.test)
    rest = [i for i, gold in enumerate(split.test.intents) if gold not in chosen]
    return {
        "retrain_ratio": mean(after) / max(mean(scratch.right(split.test)), 1e-9),
        "time_ratio": learned_s / scratch_s,
        "forgetting": points([after[i] for i in rest], [before[i] for i in rest]),
    }


def _encoding_s(split: Split, count: int) -> float:
    """Seconds that the encoder takes for so many messages, measured on two hundred."""
    sample = split.base.texts[:200]
    begun = perf_counter()
    split.vectors.encoder.encode(sample)
    return (perf_counter() - begun) * count / max(len(sample), 1)


def _correct_errors(agent: Assistant, messages: Messages, chosen: set[str]) -> None:
    predicted = agent.head.predict(messages.vectors)
    for text, gold, found in zip(messages.texts, messages.intents, predicted, strict=True):
        if found != gold and gold in chosen:
            agent.correct(text, gold)


def new_intents(split: Split, seed: int) -> float:
    """Accuracy on ten intents that the base never had, learned from ten corrections each."""
    intents = sorted(set(split.base.intents) & set(split.test.intents))
    chosen = set(random.Random(seed).sample(intents, min(NEW, len(intents) // 2)))
    known = [i for i, gold in enumerate(split.base.intents) if gold not in chosen]
    agent = Assistant(split.base.take(known), split.vectors)
    counts: dict[str, int] = {}
    for text, gold in zip(split.stream.texts, split.stream.intents, strict=True):
        if gold in chosen and counts.get(gold, 0) < 10:
            counts[gold] = counts.get(gold, 0) + 1
            agent.correct(text, gold)
    head = agent.challenger(agent.curated(held_out=0.0))
    return mean(
        head.right(
            split.test.take([i for i, gold in enumerate(split.test.intents) if gold in chosen])
        )
    )


def careless_figures(split: Split, seed: int) -> Figures:
    """A reviewer who accepts five wrong labels in a hundred: what is noticed, what it costs."""
    agent, careless = Assistant(split.base, split.vectors), random.Random(seed)
    names, wrong = sorted(set(split.base.intents)), set()
    predicted = agent.head.predict(split.stream.vectors)
    rows = zip(split.stream.texts, split.stream.intents, predicted, strict=True)
    for text, gold, found in rows:
        if found == gold:
            continue
        slip = careless.random() < 0.05
        label = careless.choice([n for n in names if n != gold]) if slip else gold
        made = agent.correct(text, label)
        if slip:
            wrong.add(made.id)
    curated = agent.curated(find_doubtful=True)
    flagged = {one for one, why in curated.skipped.items() if "doubtful" in why}
    half = len(split.test) // 2
    before = agent.head.right(split.test)
    agent.learn(
        split.test.take(range(half)),
        split.test.take(range(half, len(split.test))),
        find_doubtful=True,
    )
    loss = points(agent.head.right(split.test), before)
    return {
        "flagged": average(one in flagged for one in wrong),
        "flag_rate": average(one.id in flagged for one in agent.corrections),
        "careless_loss": None if loss is None else max(0.0, loss),
    }


def gate_figures(split: Split, seed: int) -> Figures:
    """Challengers a point worse, equal and a point better on everything, by a hundred seeds each.

    Each differs from the champion on about two messages of a hundred, by chance, and has
    learned all that it was taught; the reviewed set is a thousand drawn messages and forty
    corrections held out.
    """
    head = fit(split.base)
    hits = np.array(head.right(split.test))
    reviewed = np.array(head.right(split.stream))
    counts = {"worse": 0, "equal": 0, "better": 0}
    for name, gain in (("worse", -0.01), ("equal", 0.0), ("better", 0.01)):
        for number in range(SEEDS):
            rng = np.random.default_rng([seed, number, *name.encode()])
            champion, challenger = _evidence_pair(rng, split, hits, reviewed, gain)
            counts[name] += judge(champion, challenger, tolerance=0.005).decision == "promoted"
    return {
        "worse_refused": 100 * (1 - counts["worse"] / SEEDS),
        "equal_promoted": 100 * counts["equal"] / SEEDS,
        "better_promoted": 100 * counts["better"] / SEEDS,
    }


def _evidence_pair(
    rng: np.random.Generator, split: Split, frozen: Any, reviewed: Any, gain: float
) -> tuple[Evidence, Evidence]:
    """Champion and challenger whose true accuracies differ by so much, on all sets."""

    def changed(hits: Any, of: Any) -> list[bool]:
        error = max(1.0 - float(of.mean()), 0.02)
        up, down = (0.01 + gain / 2) / error, (0.01 - gain / 2) / (1.0 - error)
        chance = rng.random(len(hits))
        return [bool(x) for x in np.where(hits, chance >= down, chance < up)]

    drawn = rng.choice(reviewed, DRAWN, replace=len(reviewed) < DRAWN)
    held_out, taught, names = np.zeros(40, dtype=bool), [False] * 160, split.test.intents
    return (
        Evidence(frozen.tolist(), names, drawn.tolist(), (), held_out.tolist(), taught),
        Evidence(
            changed(frozen, frozen),
            names,
            changed(drawn, reviewed),
            (),
            changed(held_out, reviewed),
            [True] * 160,
        ),
    )


def draw(curves: Mapping[str, Mapping[str, list[float]]]) -> Path:
    """A picture of the accuracy along the streams."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, max(len(curves), 1), figsize=(5 * max(len(curves), 1), 4))
    for axis, (name, modes) in zip(np.atleast_1d(axes), curves.items(), strict=True):
        for mode, curve in modes.items():
            axis.plot([250 * (i + 1) for i in range(len(curve))], curve, label=mode)
        axis.set(title=name, xlabel="messages", ylabel="accuracy of the last 500")
        axis.legend()
    path = Path(tempfile.gettempdir()) / "learning-benchmark.png"
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
    return path
