"""Puts a monitor together from a project, its store and its settings."""

from pathlib import Path

from agent.assemble import load_interpreter
from agent.errors import InputError
from agent.monitor.labels import NEGATIVE, Labeller
from agent.monitor.monitor import Monitor
from agent.monitor.watch import Watch, WatchRules
from agent.monitor.windows import DAY_S, HOUR_S, History
from agent.settings import MonitorSettings, load_settings
from agent.storage.monitor_log import MonitorLog
from agent.storage.store import Store


async def open_monitor(
    root: Path,
    store: Store,
    settings: MonitorSettings,
    *,
    name: str,
    model: Path | None = None,
    count: str | None = None,
    fresh: bool = False,
) -> Monitor:
    """A monitor of a project, not resumed yet.

    Args:
        root: the project's folder.
        store: its store.
        settings: how to count and when to raise an alarm.
        name: the monitor's name.
        model: a model folder instead of the project's.
        count: the sentiment that surges, `all` for any; None: negative where the model tells.
        fresh: forget what it counted before.

    Raises:
        InputError: a sentiment is to be counted that the model cannot tell, or the windows
            have another length than before.
    """
    labeller = Labeller(load_interpreter(None if model else root, model))
    if count not in (None, "all") and not labeller.has_sentiment:
        raise InputError(
            f"the model has no head `sentiment`, so {count} items cannot be counted: name one "
            "that has with --model, or use --count all"
        )
    log = open_log(store, settings, name)
    width_s = settings.window_hours * HOUR_S
    if fresh:
        await log.drop()
    await log.begin()
    await _keep_width(log, name, width_s)
    rules = _rules(settings, labeller, count)
    masking = load_settings(root).feedback.mask_personal_data
    return Monitor(log, labeller, Watch(rules, History(width_s)), masking)


def open_log(store: Store, settings: MonitorSettings, name: str) -> MonitorLog:
    """What a monitor of that name has counted."""
    return MonitorLog(
        store.connection,
        store.keys,
        name,
        kept_s=int(settings.kept_days * DAY_S),
        items_kept=settings.items_kept,
    )


def _rules(settings: MonitorSettings, labeller: Labeller, count: str | None) -> WatchRules:
    """When to raise an alarm, as the settings say."""
    negative = NEGATIVE if labeller.has_sentiment else None
    return WatchRules(
        width_s=settings.window_hours * HOUR_S,
        false_alarms_a_week=settings.false_alarms_a_week,
        cooldown_s=int(settings.cooldown_hours * HOUR_S),
        learn_s=int(settings.learn_days * DAY_S),
        least=settings.least,
        sentiment=negative if count is None else (None if count == "all" else count),
    )


async def window_hours(store: Store, settings: MonitorSettings, name: str) -> int | None:
    """The length of the windows that a monitor has counted in so far, None for a new one."""
    known = (await open_log(store, settings, name).state()).get("width_s")
    return None if known is None else int(known) // HOUR_S


async def monitor_names(store: Store) -> list[str]:
    """The monitors that have counted something in this project, in order."""
    found = await store.connection.run(lambda c: c.smembers(store.keys.monitors))
    return sorted(str(name) for name in found)


async def _keep_width(log: MonitorLog, name: str, width_s: int) -> None:
    """Note the windows' length; counts of another length cannot be gone on with."""
    known = (await log.state()).get("width_s")
    if known is None:
        await log.note({"width_s": width_s})
    elif int(known) != width_s:
        raise InputError(
            f"monitor {name} counts in windows of {int(known) // HOUR_S} h, not {width_s // HOUR_S}"
            " h: keep that length, choose another --name, or start over with --fresh"
        )
