"""Does the assistant get better by corrections? A simulated reviewer on public sets.

Frozen vectors and logistic heads, so that many seeds fit into minutes; memory, curation, doubt,
queue and gate are the real ones. `tests.benchmarks.learning_full` runs the fine-tuning variant.
"""

import random
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import numpy as np

from agent.feedback.correction import Prediction
from agent.feedback.feed import memory_entry
from agent.feedback.queue_item import Asked, QueueItem
from agent.feedback.worth import assess
from agent.turn import IntentScore, Neighbour
from tests.benchmarks.learning_agent import Assistant, Head, fit
from tests.benchmarks.learning_data import Messages, Split, find_sets, load
from training.promote import Evidence, judge

BASE, STREAM, TEST = 3000, 3000, 3000
CORRECTED, SEEDS, DRAWN = 200, 100, 1000
CYCLES = 3


def run(data: Path) -> dict[str, Any]:
    """The figures of the issue, each the mean over the sets found in `data`, and set by set.

    Points are of 100. `next_turn`, `paraphrase_gain` (points), `harm` (points), the stream's
    accuracies, `retrain_ratio`, `time_ratio`, `forgetting` (points), `new_intents`, `flagged`,
    `flag_rate`, `careless_loss` (points), `worse_refused`, `equal_promoted`,
    `better_promoted` (of 100), `lift`, `flood_lift`.
    """
    sets: dict[str, dict[str, Any]] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for folder in find_sets(data):
        begun = perf_counter()
        split = load(folder, base=BASE, stream=STREAM, test=TEST)
        figures, curve = measure(split)
        figures["took_s"] = round(perf_counter() - begun, 1)
        sets[split.name], curves[split.name] = figures, curve
        sys.stderr.write(f"{split.name}: {figures}\n")
    names = [name for name in next(iter(sets.values())) if name != "took_s"]
    result: dict[str, Any] = {
        name: round(mean(float(one[name]) for one in sets.values()), 4) for name in names
    }
    return {**result, "sets": sets, "picture": str(draw(curves))}


def measure(split: Split) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """All figures of one set, and the accuracy along the stream by mode."""
    vectors = known_vectors(split)
    figures: dict[str, Any] = {}
    figures |= memory_figures(split, vectors)
    curve, stream = stream_figures(split, vectors)
    figures |= stream
    figures |= learned_figures(split, vectors)
    figures["new_intents"] = mean(new_intents(split, vectors, seed) for seed in range(3))
    figures |= careless_figures(split, vectors)
    figures |= gate_figures(split)
    figures |= queue_figures(split)
    return {k: round(v, 4) for k, v in figures.items()}, curve


def known_vectors(split: Split) -> dict[str, Any]:
    """The vector of every text."""
    found: dict[str, Any] = {}
    for part in (split.base, split.stream, split.test):
        found.update(zip(part.texts, part.vectors, strict=True))
    return found


def memory_figures(split: Split, vectors: Mapping[str, Any]) -> dict[str, float]:
    """What the correction memory does at once: to the message, a paraphrase and all others.

    The paraphrase of a corrected message is the nearest other test message of its intent, if
    it is among its five nearest; a correction of its own is taken out while it is asked.
    """
    agent, test = Assistant(split.base, vectors), split.test
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
        "next_turn": mean(fixed),
        "paraphrase_gain": 100 * (mean(after) - mean(before[i] for i in near)),
        "harm": 100 * (mean(before[i] for i in others) - mean(kept)),
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


def stream_figures(
    split: Split, vectors: Mapping[str, Any]
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """The accuracy along the stream: memory and learning, learning alone, nothing.

    The assistant begins young, with ten examples an intent.
    """
    young = split.base.take(range(10 * len(set(split.base.intents))))
    half = len(split.test) // 2
    frozen, drawn = split.test.take(range(half)), split.test.take(range(half, len(split.test)))
    curves = {}
    for mode in ("memory and learning", "learning", "nothing"):
        agent = Assistant(young, vectors, use_memory=mode.startswith("memory"))
        reviewer, hits, curve = random.Random(1), [], []
        size = len(split.stream) // (CYCLES + 1)
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
        curves[f"{mode}: mean"] = [mean(hits)]
    return curves, {
        "stream_memory_learning": curves["memory and learning: mean"][0],
        "stream_learning": curves["learning: mean"][0],
        "stream_nothing": curves["nothing: mean"][0],
    }


def learned_figures(split: Split, vectors: Mapping[str, Any]) -> dict[str, float]:
    """Learning from corrections of half the intents, against a retrain on everything.

    Method `head` has no network to go on from and encodes everything anew both times: its
    `time_ratio` is about 1. That of a fine-tuned model is `learning_full`'s.
    """
    chosen = set(sorted(set(split.test.intents))[::2])
    agent = Assistant(split.base, vectors)
    before = agent.head.right(split.test)
    _correct_errors(agent, split.stream, lambda gold: gold in chosen)
    begun = perf_counter()
    challenger = agent.challenger(agent.curated())
    learned_s = perf_counter() - begun
    everything = agent.messages(agent.curated().all)
    encoding_s = _encoding_s(split, len(split.base) + len(everything))
    begun = perf_counter()
    scratch = fit(split.base.joined(everything))
    scratch_s = perf_counter() - begun
    after = challenger.right(split.test)
    rest = [i for i, gold in enumerate(split.test.intents) if gold not in chosen]
    return {
        "retrain_ratio": mean(after) / mean(scratch.right(split.test)),
        "time_ratio": (encoding_s + learned_s) / (encoding_s + scratch_s),
        "forgetting": 100 * (mean(before[i] for i in rest) - mean(after[i] for i in rest)),
    }


def _encoding_s(split: Split, count: int) -> float:
    """Seconds that the encoder takes for so many messages, measured on two hundred."""
    from knowledge.convert import encoder_folder
    from knowledge.encoder import Encoder
    from knowledge.encoder_source import DEFAULT_ENCODER

    encoder = Encoder.load(encoder_folder(DEFAULT_ENCODER))
    begun = perf_counter()
    encoder.encode(split.base.texts[:200])
    return (perf_counter() - begun) * count / 200


def _correct_errors(agent: Assistant, messages: Messages, wanted: Any) -> None:
    predicted = agent.head.predict(messages.vectors)
    for text, gold, found in zip(messages.texts, messages.intents, predicted, strict=True):
        if found != gold and wanted(gold):
            agent.correct(text, gold)


def new_intents(split: Split, vectors: Mapping[str, Any], seed: int) -> float:
    """Accuracy on ten intents that the base never had, learned from ten corrections each."""
    chosen = set(random.Random(seed).sample(sorted(set(split.base.intents)), 10))
    known = [i for i, gold in enumerate(split.base.intents) if gold not in chosen]
    agent = Assistant(split.base.take(known), vectors)
    counts: dict[str, int] = {}
    for text, gold in zip(split.stream.texts, split.stream.intents, strict=True):
        if gold in chosen and counts.get(gold, 0) < 10:
            counts[gold] = counts.get(gold, 0) + 1
            agent.correct(text, gold)
    head = agent.challenger(agent.curated(held_out=0.0))
    tests = split.test.take([i for i, gold in enumerate(split.test.intents) if gold in chosen])
    return mean(head.right(tests))


def careless_figures(split: Split, vectors: Mapping[str, Any]) -> dict[str, float]:
    """A reviewer who accepts five wrong labels in a hundred: what is noticed, what it costs."""
    agent, careless = Assistant(split.base, vectors), random.Random(5)
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
    before = mean(agent.head.right(split.test))
    agent.learn(
        split.test.take(range(half)),
        split.test.take(range(half, len(split.test))),
        find_doubtful=True,
    )
    return {
        "flagged": len(flagged & wrong) / max(len(wrong), 1),
        "flag_rate": len(flagged) / len(agent.corrections),
        "careless_loss": 100 * max(0.0, before - mean(agent.head.right(split.test))),
    }


def gate_figures(split: Split) -> dict[str, float]:
    """Challengers a point worse, equal and a point better on everything, by a hundred seeds each.

    Each differs from the champion on about two messages of a hundred, by chance; the reviewed
    set is a thousand drawn messages and forty corrections held out.
    """
    head = fit(split.base)
    hits = np.array(head.right(split.test))
    stream = np.array(head.right(split.stream))
    counts = {"worse": 0, "equal": 0, "better": 0}
    for name, points in (("worse", -0.01), ("equal", 0.0), ("better", 0.01)):
        for seed in range(SEEDS):
            rng = np.random.default_rng([seed, *name.encode()])
            champion, challenger = _evidence_pair(rng, hits, stream, points)
            counts[name] += judge(champion, challenger, tolerance=0.005).decision == "promoted"
    return {
        "worse_refused": 100 * (1 - counts["worse"] / SEEDS),
        "equal_promoted": 100 * counts["equal"] / SEEDS,
        "better_promoted": 100 * counts["better"] / SEEDS,
    }


def _evidence_pair(
    rng: np.random.Generator, frozen: Any, stream: Any, points: float
) -> tuple[Evidence, Evidence]:
    """Champion and challenger whose true accuracies differ by so much, on all sets."""
    error = 1.0 - float(stream.mean())
    up, down = (0.01 + points / 2) / error, (0.01 - points / 2) / (1.0 - error)

    def changed(hits: Any) -> list[bool]:
        chance = rng.random(len(hits))
        return [bool(x) for x in np.where(hits, chance >= down, chance < up)]

    drawn = rng.choice(stream, DRAWN, replace=False)
    held_out, taught = np.zeros(40, dtype=bool), np.zeros(160, dtype=bool)
    learned = [True] * 160 if points > 0 else changed(taught)
    names = [str(i % 77) for i in range(len(frozen))]
    return (
        Evidence(frozen.tolist(), names, drawn.tolist(), (), held_out.tolist(), taught.tolist()),
        Evidence(changed(frozen), names, changed(drawn), (), changed(held_out), learned),
    )


def queue_figures(split: Split) -> dict[str, float]:
    """How many more errors stand in the first tenth of the queue than in a random tenth."""
    head = fit(split.base)
    items, wrong = _queue(head, split)
    quiet = lift(items, wrong)
    flooded = lift(_flooded(items, wrong), wrong)
    return {"lift": quiet, "flood_lift": flooded}


def _queue(head: Head, split: Split) -> tuple[list[QueueItem], dict[str, bool]]:
    chances = head.chances(split.stream.vectors)
    near = split.stream.vectors @ split.base.vectors.T
    items, wrong = [], {}
    for n, (text, gold) in enumerate(zip(split.stream.texts, split.stream.intents, strict=True)):
        order = np.argsort(-chances[n])[:5]
        ranking = tuple(IntentScore(head.names[i], float(chances[n][i])) for i in order)
        nearest = tuple(
            Neighbour("", split.base.texts[j], split.base.intents[j], float(near[n][j]))
            for j in np.argsort(-near[n])[:3]
        )
        item = QueueItem(str(n), text, Prediction(ranking[0].intent), ranking, nearest, count=1)
        items.append(item)
        wrong[item.id] = ranking[0].intent != gold
    return items, wrong


def lift(items: Iterable[QueueItem], wrong: Mapping[str, bool]) -> float:
    """The share of errors in the best tenth over the share in all."""
    ordered = sorted(map(assess, items), key=lambda item: -item.score)
    best = ordered[: len(ordered) // 10]
    return mean(wrong[item.id] for item in best) / mean(wrong.values())


def _flooded(items: Sequence[QueueItem], wrong: Mapping[str, bool]) -> list[QueueItem]:
    """Users complain about three of ten errors; of all complaints a fifth are lies."""
    crowd = random.Random(9)
    honest = [item.id for item in items if wrong[item.id] and crowd.random() < 0.3]
    right = [item.id for item in items if not wrong[item.id]]
    lies = crowd.sample(right, min(len(right), max(1, len(honest) // 4)))
    blamed = {*honest, *lies}
    return [_blamed(item) if item.id in blamed else item for item in items]


def _blamed(item: QueueItem) -> QueueItem:
    return replace(item, asked=(Asked(item.id, item.text, item.id, "anonymous", intent="x"),))


def draw(curves: Mapping[str, Mapping[str, list[float]]]) -> Path:
    """A picture of the accuracy along the streams."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, max(len(curves), 1), figsize=(5 * max(len(curves), 1), 4))
    for axis, (name, modes) in zip(np.atleast_1d(axes), curves.items(), strict=True):
        for mode, curve in modes.items():
            if not mode.endswith("mean"):
                axis.plot([250 * (i + 1) for i in range(len(curve))], curve, label=mode)
        axis.set(title=name, xlabel="messages", ylabel="accuracy of the last 500")
        axis.legend()
    path = Path(tempfile.gettempdir()) / "learning-benchmark.png"
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
    return path
