"""Monitor: reads a source, understands its items, counts them once and raises alarms."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from agent.monitor.causes import headlines
from agent.monitor.labels import NO_TOPIC, Labelled, Labeller
from agent.monitor.patience import patiently
from agent.monitor.sources import Batch, Problem, Source
from agent.monitor.watch import Alarm, Watch
from agent.monitor.windows import WEEK_S, Series
from agent.storage.monitor_log import MonitorLog, Progress
from agent.turn import now

_LOOK_BACK, _PAGES = 2000, 5
_HISTORY_WEEKS = 26
# How long the store may be away before a run ends; what was not kept is read again then.
_PATIENCE_S = 600.0
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch brought: items counted for the first time, problems, alarms."""

    items: Sequence[Labelled] = ()
    problems: Sequence[Problem] = ()
    alarms: Sequence[Alarm] = ()
    repeated: int = 0
    late: int = 0


@dataclass(slots=True)
class Monitor:
    """Watches one source.

    Args:
        log: what was read, counted and alarmed.
        labeller: understands items.
        watch: holds the counts and judges them.
        masking: whether personal data is replaced in what is kept.
    """

    log: MonitorLog
    labeller: Labeller
    watch: Watch
    masking: bool = True
    _judged: int = -1
    _known: set[int] = field(default_factory=set)

    async def resume(self) -> None:
        """Take up counts and alarms where an earlier run, even a killed one, left them."""
        state = await self.log.state()
        self._judged = int(state.get("judged", -1))
        windows = await self.log.windows()
        since = windows[-1] - _HISTORY_WEEKS * WEEK_S if windows else 0
        self._known = {window for window in windows if window >= since}
        for window, counts in (await self.log.counts(sorted(self._known))).items():
            self.watch.history.put(window, counts)
        self.watch.remember(await self.log.alarms())

    async def run(self, source: Source) -> AsyncIterator[Step]:
        """Work through a source, a step for each batch (an empty one while nothing comes).

        Items, counts and the reading position are kept in one step before anything is told, so
        that after a kill nothing is missed and nothing is counted twice. What was kept and not
        judged before a kill is judged first.
        """
        if alarms := await self._judge(set()):
            yield Step(alarms=alarms)
        state = await self.log.state()
        async for batch in source.batches(state.get(f"position:{source.name}", "")):
            yield await self._step(source, batch)

    async def _step(self, source: Source, batch: Batch) -> Step:
        if not batch.items and not batch.problems and not batch.entries:
            return Step()
        labelled = await asyncio.to_thread(self.labeller.label, batch.items, batch.topics)
        width = self.watch.rules.width_s
        records = [one.record(width, masking=self.masking) for one in labelled]
        newest = max(self._known, default=-1)
        totals = {"broken": len(batch.problems)} if batch.problems else {}
        progress = Progress(source.name, batch.position, totals)
        fresh = set(
            await _kept(
                lambda: self.log.commit(records, progress, at=now().timestamp(), newest=newest)
            )
        )
        await source.done(batch)
        alarms = await self._judge({record.window for record in records})
        kept = [one for one in labelled if one.item.id in fresh]
        late = sum(record.id in fresh and record.window < newest for record in records)
        return Step(kept, batch.problems, alarms, len(labelled) - len(kept), late)

    async def _judge(self, touched: set[int]) -> list[Alarm]:
        """Look at the counts of the windows that grew, late ones for as long as that makes sense.

        A window may be late because an item of another source was dated ahead.
        """
        changed: set[Series] = set()
        for window, counts in (await _kept(lambda: self.log.counts(sorted(touched)))).items():
            grown = self.watch.take(window, counts)
            changed |= grown if window < self._judged else set()
        self._known |= touched
        pending = sorted(window for window in self._known if window >= self._judged)
        now_s = now().timestamp()
        found = self.watch.judge_late(self._late(touched), changed, now_s=now_s)
        alarms = await self._raise(found + self.watch.judge(pending, now_s=now_s))
        if pending and pending[-1] > self._judged:
            self._judged = pending[-1]
            await _kept(lambda: self.log.note({"judged": self._judged}))
            await _kept(lambda: self.log.trim(self._judged))
            self.watch.let_go(self._judged)
            oldest = self.watch.history.first or 0
            self._known = {window for window in self._known if window >= oldest}
        return alarms

    def _late(self, touched: set[int]) -> list[int]:
        """The windows that were judged before, from the first one on that grew, if not too old."""
        oldest = max(self._known, default=0) - self.watch.lateness_s
        grown = [window for window in touched if oldest <= window < self._judged]
        return [w for w in self._known if grown and min(grown) <= w < self._judged]

    async def _raise(self, found: Sequence[Alarm]) -> list[Alarm]:
        """Keep the alarms with what caused them; those that were not raised before."""
        alarms = []
        for alarm in found:
            full = replace(alarm, headlines=await _kept(partial(self._headlines, alarm)))
            if await _kept(partial(self.log.add_alarm, full.id, full.as_json())):
                _log.warning("%s", said(full))
                alarms.append(full)
        return alarms

    async def _headlines(self, alarm: Alarm) -> tuple[str, ...]:
        """The items that caused an alarm, as far as the log's latest ones have them."""
        found: list[dict[str, Any]] = []
        after = None
        for _ in range(_PAGES):
            page = await self.log.items(limit=_LOOK_BACK, after=after)
            counted = [record for record in page if alarm.counts(record)]
            found += counted
            if len(page) < _LOOK_BACK or (found and not counted):
                break
            after = page[-1]["position"]
        return headlines(alarm, found, self.watch.history)


async def _kept(work: Callable[[], Awaitable[T]]) -> T:
    """Work with the store, tried again while it is away: kept twice is kept once."""
    return await patiently(work, patience_s=_PATIENCE_S)


def said(alarm: Alarm) -> str:
    """An alarm in one line for people."""
    facts = alarm.as_json()
    what = f"{alarm.sentiment} items" if alarm.sentiment else "items"
    outside = alarm.series.kind == "topic" and alarm.series.name == NO_TOPIC
    where = "what fits no topic" if outside else str(alarm.series)
    hours = alarm.width_s * alarm.scale // 3600
    return (
        f"surge of {what} in {where}: {alarm.observed} in {hours} h where "
        f"{alarm.expected:.1f} were due ({facts['times']} times, p {alarm.p:.1g}), "
        f"window of {facts['at'][:16]}"
    )
