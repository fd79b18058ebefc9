"""Surges planted in a real timeline of tweets, and how many items a second are watched."""

import asyncio
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.assemble import load_interpreter
from agent.monitor.expectation import expectations
from agent.monitor.labels import Labeller
from agent.monitor.monitor import Monitor
from agent.monitor.sources import FileSource
from agent.monitor.surge import surge, threshold
from agent.monitor.watch import Watch, WatchRules
from agent.monitor.windows import DAY_S, WEEK_S, History, Series, field_name
from agent.storage.monitor_log import MonitorLog
from agent.storage.store import Store
from knowledge.home import home
from knowledge.project_folder import bundled_assistant

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """Negative tweets of a series, and its other ones, by hour (days, 24)."""

    negative: Counts
    others: Counts


SEEDS = 100
FACTORS = (1.5, 2.0, 4.0)
LENGTH = 3  # days of a planted surge
LEARN = 28  # days before the first
RATE = 0.5  # false alarms a week that are borne, over all series
BARE = 2000


def run(data: Path) -> dict[str, Any]:
    """Detection, delay and false alarms of planted surges; items a second on one core.

    Negative tweets are told by the bundled newsroom, trained here; topics are the sectors of
    the tweets' stocks, and the whole. A surge multiplies the negative tweets of three days; it
    is found if an alarm is raised in them, after `delay_h` hours; the other tweets stay as they
    are. `false_alarms_a_week` counts all alarms of the timeline without planted surges, whatever
    happened in the world.
    `monitor_over_network` compares items a second with the bare network on the same texts.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with gzip.open(data / "stocknet_tweets" / "tweets.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "newsroom"
        shutil.copytree(bundled_assistant("newsroom"), root)
        command = [sys.executable, "-m", "agent", "train", "--project", str(root)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        sentiments, items_s = asyncio.run(_watch(root, rows))
        bare_s = _bare(root, [row["text"] for row in rows[:BARE]])
    hours = _hours(rows, sentiments)
    found = {name: _planted(hours, name) for name in ("all", "sectors")}
    return {
        "items": len(rows),
        "negative_share": round(sentiments.count("negative") / len(rows), 3),
        "items_a_second": round(items_s),
        "bare_items_a_second": round(bare_s),
        "monitor_over_network": round(items_s / bare_s, 2),
        "false_alarms_a_week": round(_false_alarms(hours), 2),
        "wanted_false_alarms_a_week": RATE,
        "surges": found,
        "picture": str(_draw(hours, found)),
    }


async def _watch(root: Path, rows: Sequence[Mapping[str, str]]) -> tuple[list[str], float]:
    """The sentiment of each tweet, and items a second from a file to Redis."""
    path = root / "tweets.jsonl"
    lines = (
        json.dumps({"id": str(n), "text": row["text"], "date": row["date"]})
        for n, row in enumerate(rows)
    )
    path.write_text("\n".join(lines), "utf-8")
    labeller = Labeller(load_interpreter(root, None))
    rules = WatchRules(width_s=DAY_S, sentiment="negative")
    sentiments = [""] * len(rows)
    async with await Store.open("embedded:", root) as store:
        log = MonitorLog(
            store.connection, store.keys, "b", kept_s=400 * DAY_S, items_kept=len(rows)
        )
        watching = Monitor(log, labeller, Watch(rules, History(DAY_S)))
        begun = perf_counter()
        async for step in watching.run(FileSource(path)):
            for one in step.items:
                sentiments[int(one.item.id.removeprefix("id:"))] = one.sentiment
        took = perf_counter() - begun
    if not all(sentiments):
        raise AssertionError("a tweet was not counted")
    return sentiments, len(rows) / took


def _bare(root: Path, texts: Sequence[str]) -> float:
    """Items a second of the network alone, in its own batches."""
    network = load_interpreter(root, None).network
    network.run(texts[:64])
    begun = perf_counter()
    network.run(texts)
    return len(texts) / (perf_counter() - begun)


def _hours(rows: Sequence[Mapping[str, str]], sentiments: Sequence[str]) -> dict[str, Timeline]:
    """The tweets of all and of each sector that has a negative one a day."""
    times = [datetime.fromisoformat(row["date"]) for row in rows]
    first = min(times).date()
    days = (max(times).date() - first).days + 1
    found: dict[str, Timeline] = {}
    for row, moment, sentiment in zip(rows, times, sentiments, strict=True):
        for name in ("all", row["sector"]):
            empty = Timeline(np.zeros((days, 24)), np.zeros((days, 24)))
            line = found.setdefault(name, empty)
            counts = line.negative if sentiment == "negative" else line.others
            counts[(moment.date() - first).days, moment.hour] += 1
    return {name: line for name, line in found.items() if line.negative.sum() >= days}


def _false_alarms(hours: Mapping[str, Timeline]) -> float:
    """Alarms a week of the timeline as it is, looked at every hour, and when a day is over."""
    days = len(hours["all"].negative)
    rules = WatchRules(
        width_s=DAY_S, sentiment="negative", false_alarms_a_week=RATE, learn_s=LEARN * DAY_S
    )
    watch = Watch(rules, History(DAY_S))
    alarms = 0
    for day in range(days):
        for hour in range(24):
            for name, line in hours.items():
                series = Series("all") if name == "all" else Series("topic", name)
                negative, others = (
                    int(x[day, : hour + 1].sum()) for x in (line.negative, line.others)
                )
                counts = {
                    field_name(series, "negative"): negative,
                    field_name(series, "neutral"): others,
                }
                watch.history.put(day * DAY_S, counts)
            earlier = [(day - 1) * DAY_S] if day and not hour else []
            alarms += len(watch.judge([*earlier, day * DAY_S]))
    return alarms / ((days - LEARN) * DAY_S / WEEK_S)


def _planted(hours: Mapping[str, Timeline], kind: str) -> dict[str, dict[str, float]]:
    """Share found and median delay for each factor, over the seeds."""
    alpha = RATE * DAY_S / WEEK_S / len(hours)
    past = _past(hours)
    names = ["all"] if kind == "all" else sorted(set(hours) - {"all"})
    result = {}
    for factor in FACTORS:
        delays = []
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            line = hours[names[rng.integers(len(names))]]
            start = int(rng.integers(LEARN, len(line.negative) - LENGTH))
            at = threshold(alpha, past[LEARN:start].ravel().tolist())
            delays.append(_delay(line, start, factor, at, rng))
        found = [delay for delay in delays if delay is not None]
        result[str(factor)] = {
            "found": len(found) / SEEDS,
            "delay_h": round(median(found), 1) if found else float("nan"),
        }
    return result


def _past(hours: Mapping[str, Timeline]) -> Counts:
    """The p-values (days, series) of the timeline as it is."""
    columns = []
    for line in hours.values():
        daily, others = line.negative.sum(axis=1), line.others.sum(axis=1)
        found = [
            surge(
                expectations(daily[:day], 0, DAY_S, others=others[:day]),
                int(daily[day]),
                others=float(others[day]),
            )
            for day in range(len(daily))
        ]
        columns.append([1.0 if one is None else one.p for one in found])
    return np.array(columns).T


def _delay(
    line: Timeline, start: int, factor: float, alpha: float, rng: np.random.Generator
) -> int | None:
    """Hours from the beginning of a planted surge to its alarm, None if none is raised."""
    planted = line.negative.copy()
    days = slice(start, start + LENGTH)
    planted[days] += rng.poisson((factor - 1) * line.negative[days])
    daily, others = planted.sum(axis=1), line.others.sum(axis=1)
    for day in range(start, start + LENGTH):
        expected = expectations(daily[:day], 0, DAY_S, others=others[:day])
        for hour in range(24):
            found = surge(
                expected,
                int(planted[day, : hour + 1].sum()),
                others=float(line.others[day, : hour + 1].sum()),
                growing=hour < 23,
            )
            if found is not None and found.p < alpha:
                return (day - start) * 24 + hour + 1
    return None


def _draw(hours: Mapping[str, Timeline], found: Mapping[str, Any]) -> Path:
    """The timeline, and the share of surges found, as a picture; its place."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.5), width_ratios=(2, 1))
    left.plot(hours["all"].negative.sum(axis=1), linewidth=1)
    left.set(title="negative tweets a day", xlabel="day")
    for kind, by_factor in found.items():
        right.plot(
            [float(f) for f in by_factor],
            [v["found"] for v in by_factor.values()],
            "o-",
            label=kind,
        )
    right.set(title="planted surges found", xlabel="times the usual", ylim=(0, 1.02))
    right.legend()
    path = home() / "benchmarks" / "monitor.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
