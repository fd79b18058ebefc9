"""How an alarm fares with its receiver: when it is tried again, and when it is given up."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Outcome = Literal["taken", "refused", "away"]
State = Literal["waiting", "taken", "given up", "not sent"]
"""`not sent`: it was raised while there was no webhook, and stays so when one is set later."""
_PAUSE_S, _LONGEST_S = 30.0, 3600.0
MOST_REFUSALS = 8
"""How often a receiver may refuse an alarm (4xx) before it is given up, an hour after the first."""
LONGEST_AWAY_S = 3 * 24 * 3600.0
"""Seconds after which an alarm that reached nobody (no answer, 5xx) is given up."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The tries to deliver one alarm; times are seconds since 1970, `why` is the last answer."""

    state: State = "waiting"
    refusals: int = 0
    failures: int = 0
    first_at: float = 0.0
    next_at: float = 0.0
    why: str = ""

    @property
    def tries(self) -> int:
        """How often it was sent in vain."""
        return self.refusals + self.failures

    @property
    def trouble(self) -> str:
        """What is wrong with it, for people; empty where nothing is.

        >>> Delivery(refusals=1, why="status 404").trouble
        'not taken by the webhook in 1 try, the last answer: status 404'
        """
        if self.state == "taken" or not self.tries:
            return ""
        tries = f"{self.tries} {'try' if self.tries == 1 else 'tries'}"
        given_up = "given up: " if self.state == "given up" else ""
        return f"{given_up}not taken by the webhook in {tries}, the last answer: {self.why}"

    def due(self, now: float) -> bool:
        """Whether it is to be tried now; a clock that was set back makes nothing wait longer."""
        return self.state == "waiting" and not 0 < self.next_at - now <= _LONGEST_S

    def after(self, outcome: Outcome, why: str, now: float) -> "Delivery":
        """What becomes of it: pauses double from half a minute to an hour."""
        if outcome == "taken":
            return replace(self, state="taken", why=why)
        pause_s = min(_PAUSE_S * 2.0 ** min(self.tries, 10), _LONGEST_S)
        tried = replace(
            self,
            refusals=self.refusals + (outcome == "refused"),
            failures=self.failures + (outcome == "away"),
            first_at=self.first_at or now,
            next_at=now + pause_s,
            why=why,
        )
        hopeless = tried.refusals >= MOST_REFUSALS or now - tried.first_at >= LONGEST_AWAY_S
        return replace(tried, state="given up") if hopeless else tried

    def as_json(self) -> dict[str, Any]:
        """What the log keeps."""
        return asdict(self)


def delivery_of(alarm: Mapping[str, Any]) -> Delivery:
    """The delivery of a kept alarm; `delivered` says it in logs written before there were tries."""
    if alarm.get("delivered"):
        return Delivery("taken")
    known = alarm.get("delivery") or {}
    return Delivery(**{name: known[name] for name in Delivery.__slots__ if name in known})
