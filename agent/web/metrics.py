"""Prometheus metrics of this process and of the store.  [door: prometheus_client]"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from agent.assemble import Assistant
from agent.errors import AgentError
from agent.monitor.assemble import monitor_names, open_log
from agent.turn import FALLBACK_INTENT, Message, Turn

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BUCKETS_S = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5, 10)


class Metrics:
    """Counts turns as they end, and looks at the store when it is asked."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
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
        self._waiting = Gauge("agent_turns_in_work", "Turns in work now.", registry=where)
        self._model = Gauge("agent_model_info", "The serving model.", ["version"], registry=where)
        self._store = Gauge("agent_store_up", "Whether Redis answers.", registry=where)
        self._spool = Gauge("agent_spool_bytes", "Bytes that wait on disk.", registry=where)
        self._queue = Gauge("agent_corrections", "Corrections by state.", ["state"], registry=where)
        self._watched = Gauge(
            "agent_monitor", "What each monitor counted.", ["monitor", "what"], registry=where
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
        best = turn.understanding.intent
        if best is not None and best.intent == FALLBACK_INTENT:
            self._fallbacks.inc()

    def _channel(self, name: str) -> str:
        """Clients choose channels' names: only so many become labels."""
        if name in self._channels or len(self._channels) < 20:
            self._channels.add(name)
            return name
        return "other"

    async def _monitors(self) -> None:
        """Items, alarms and unread lines of each monitor."""
        store, settings = self._assistant.store, self._assistant.settings.monitor
        self._watched.clear()
        for name in await monitor_names(store):
            log = open_log(store, settings, name)
            state = await log.state()
            for what in ("items", "broken", "late"):
                self._watched.labels(name, what).set(int(state.get(what, 0)))
            self._watched.labels(name, "alarms").set(await log.alarm_count())

    async def text(self, in_work: int) -> bytes:
        """Everything in Prometheus' text format."""
        assistant = self._assistant
        self._waiting.set(in_work)
        self._model.clear()
        self._model.labels(assistant.brains.loaded.model_version).set(1)
        spool = assistant.store.spool
        self._spool.set(0 if spool is None else spool.size())
        try:
            for state, number in (await assistant.store.correction_counts()).items():
                self._queue.labels(state).set(number)
            await self._monitors()
            self._store.set(1)
        except AgentError:
            self._store.set(0)
        return generate_latest(self.registry)
