"""Prometheus metrics of this process and of the store.  [door: prometheus_client]"""

import os
from collections import Counter as Counts
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from agent.assemble import Assistant
from agent.errors import AgentError, ModelError
from agent.feedback.drift import MONITOR as DRIFT
from agent.monitor.assemble import monitor_names, open_log
from agent.monitor.delivery import delivery_of
from agent.turn import FALLBACK_INTENT, Message, Turn

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The library's own name for the folder in which several processes count."""
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BUCKETS_S = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5, 10)


class Metrics:
    """Counts turns as they end, and looks at the store when it is asked.

    Several server processes count in files of the folder that `SHARED` names, so that any of
    them can tell for all. `in_work` says how many turns are in work in this one.
    """

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self.in_work: Callable[[], int] = lambda: 0
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        where = self.registry
        self._turns = Counter("agent_turns", "Turns answered.", ["channel"], registry=where)
        self._failures = Counter("agent_turn_failures", "Turns that failed.", registry=where)
        self._fallbacks = Counter(
            "agent_fallbacks", "Turns not understood (nlu_fallback).", registry=where
        )
        self._seconds = Histogram(
            "agent_turn_seconds", "Time of a turn.", buckets=_BUCKETS_S, registry=where
        )
        self._stages = Histogram(
            "agent_stage_seconds",
            "Time of a turn's stages.",
            ["stage"],
            buckets=_BUCKETS_S,
            registry=where,
        )
        self._waiting = Gauge(
            "agent_turns_in_work", "Turns in work now.", registry=where, multiprocess_mode="livesum"
        )
        self._channels: set[str] = set()

    def seen(self, message: Message, turn: Turn | None) -> None:
        """Count a turn, or (None) one that failed."""
        if turn is None:
            self._failures.inc()
            return
        self._turns.labels(self._channel(message.channel)).inc()
        self._seconds.observe(turn.took_ms / 1000)
        for stage, spent_ms in turn.stages_ms.items():
            self._stages.labels(stage).observe(spent_ms / 1000)
        self._waiting.set(self.in_work())
        best = turn.understanding.intent
        if best is not None and best.intent == FALLBACK_INTENT:
            self._fallbacks.inc()

    def _channel(self, name: str) -> str:
        """Clients choose channels' names: only so many become labels."""
        if name in self._channels or len(self._channels) < 20:
            self._channels.add(name)
            return name
        return "other"

    async def text(self, in_work: int) -> bytes:
        """Everything in Prometheus' text format, the counts of all server processes together."""
        self._waiting.set(in_work)
        counted = self.registry
        if shared := os.environ.get(SHARED):
            _drop_the_dead(Path(shared))
            counted = CollectorRegistry()
            MultiProcessCollector(counted, shared)  # type: ignore[no-untyped-call]
        now = CollectorRegistry()
        now.register(_Now(await self._now()))
        return generate_latest(counted) + generate_latest(now)

    async def _now(self) -> list[Metric]:
        """What is true of the model and the store just now."""
        assistant = self._assistant
        model = GaugeMetricFamily("agent_model_info", "The serving model.", labels=["version"])
        with suppress(ModelError):
            model.add_metric([assistant.brains.loaded.model_version], 1)
        spool = assistant.store.spool
        waiting = 0 if spool is None else spool.size()
        found: list[Metric] = [
            model,
            GaugeMetricFamily("agent_spool_bytes", "Bytes that wait on disk.", waiting),
        ]
        try:
            found += [await self._corrections(), await self._monitors()]
            up = 1
        except AgentError:
            up = 0
        return [*found, GaugeMetricFamily("agent_store_up", "Whether Redis answers.", up)]

    async def _corrections(self) -> Metric:
        found = GaugeMetricFamily("agent_corrections", "Corrections by state.", labels=["state"])
        for state, number in (await self._assistant.store.correction_counts()).items():
            found.add_metric([state], number)
        return found

    async def _monitors(self) -> Metric:
        """Items, unread lines and alarms of each monitor, and alarms that no webhook took.

        The monitor `drift` holds the dashboard's alarms.
        """
        store, settings = self._assistant.store, self._assistant.settings.monitor
        labels = ["monitor", "what"]
        found = GaugeMetricFamily("agent_monitor", "What each monitor counted.", labels=labels)
        for name in dict.fromkeys((*await monitor_names(store), DRIFT)):
            log = open_log(store, settings, name)
            state = await log.state()
            for what in ("items", "broken", "late"):
                found.add_metric([name, what], int(state.get(what, 0)))
            alarms = await log.alarms()
            found.add_metric([name, "alarms"], len(alarms))
            fates = Counts(delivery_of(alarm).state for alarm in alarms)
            found.add_metric([name, "undelivered"], fates["waiting"] if settings.webhook else 0)
            found.add_metric([name, "given_up"], fates["given up"])
        return found


def _drop_the_dead(folder: Path) -> None:
    """Take away what processes that are gone said of themselves; their counts stay."""
    for path in folder.glob("gauge_live*.db"):
        process = path.stem.rpartition("_")[2]
        with suppress(PermissionError):  # it lives, and is somebody else's
            try:
                os.kill(int(process), 0)
            except ProcessLookupError:
                path.unlink(missing_ok=True)


class _Now(Collector):
    """Metrics that are made anew for each look."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """They."""
        return self._found
