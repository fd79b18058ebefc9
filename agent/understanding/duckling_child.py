"""The value process: runs Duckling over texts; started by file path, imports none of ours.

Duckling is Haskell: it takes over signal handlers, holds the interpreter's lock, and some short
texts cost it minutes. So it runs in a process of its own, which ends itself when a text takes too
long. The first line of standard input is `{"locale", "timezone", "limit_s"}`; then each line
`{"text", "dimensions", "time_s"}` is answered by one line, Duckling's matches.
"""

import json
import os
import signal
import struct
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckling

_FIRST, _LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC)
_STEP = timedelta(days=7)


def zone_file(name: str) -> bytes:
    """A time zone as a TZif file of version 1 (RFC 8536), the only one that Duckling reads.

    The system's own files may be "slim": without the 32-bit table of transitions.
    """
    zone = ZoneInfo(name)
    kinds = [_kind(zone, _FIRST)]
    times: list[int] = []
    indices: list[int] = []
    for instant, kind in _transitions(zone):
        if kind not in kinds:
            kinds.append(kind)
        times.append(int(instant.timestamp()))
        indices.append(kinds.index(kind))
    names = [kind[2].encode() + b"\0" for kind in kinds]
    starts = [sum(map(len, names[:i])) for i in range(len(names))]
    head = b"TZif" + bytes(16)
    head += struct.pack(">6l", 0, 0, 0, len(times), len(kinds), sum(map(len, names)))
    body = struct.pack(f">{len(times)}l", *times) + bytes(indices)
    for (offset, is_summer, _), start in zip(kinds, starts, strict=True):
        body += struct.pack(">lbb", offset, is_summer, start)
    return head + body + b"".join(names)


def _kind(zone: ZoneInfo, instant: datetime) -> tuple[int, bool, str]:
    local = instant.astimezone(zone)
    offset, summer = local.utcoffset() or timedelta(), local.dst() or timedelta()
    return int(offset.total_seconds()), bool(summer), local.tzname() or ""


def _transitions(zone: ZoneInfo) -> Iterator[tuple[datetime, tuple[int, bool, str]]]:
    """The instants at which the zone's kind of time changes, to the second, with the new kind."""
    start, kind = _FIRST, _kind(zone, _FIRST)
    while start < _LAST:
        end = start + _STEP
        if _kind(zone, end) != kind:
            low, high = start, end
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                low, high = (middle, high) if _kind(zone, middle) == kind else (low, middle)
            kind = _kind(zone, high)
            yield high, kind
        start = end


def load_zone(name: str) -> Any:
    """Duckling's database of just this time zone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zone_file(name))
        return duckling.load_time_zones(folder)


def answer(requests: Iterator[str], settings: dict[str, Any]) -> Iterator[str]:
    """One line of matches for each request; the process dies within `limit_s` otherwise."""
    zones, zone = load_zone(settings["timezone"]), settings["timezone"]
    language = duckling.parse_lang(settings["locale"].partition("_")[0])
    default = duckling.default_locale_lang(language)
    locale = duckling.parse_locale(settings["locale"], default)
    for line in requests:
        request = json.loads(line)
        now = duckling.parse_ref_time(zones, zone, int(request["time_s"]))
        dimensions = duckling.parse_dimensions(request["dimensions"])
        signal.setitimer(signal.ITIMER_REAL, settings["limit_s"])
        found = duckling.parse_text(
            request["text"], duckling.Context(now, locale), dimensions, False
        )
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        # Duckling answers JSON, which may hold line breaks of the text.
        yield json.dumps(json.loads(found))


def main() -> None:
    """Serve standard input until it closes."""
    # Nothing but answers may reach the pipe, whatever the library prints.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    lines = iter(sys.stdin.readline, "")
    settings = json.loads(next(lines))
    for found in answer(lines, settings):
        out.write(found + "\n")
        out.flush()


if __name__ == "__main__":
    main()
