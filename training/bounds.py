"""The time and the memory that a learning run may take."""

import resource
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from agent.errors import AgentError

_ADVICE = "the present model serves on; allow more, or learn with method head"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Looked at after each step of a run; `began` is a moment of `monotonic`, in seconds."""

    minutes: float
    memory_mb: int
    began: float = field(default_factory=monotonic)

    def after(self, share: float) -> float:
        """The moment when this share of the time has passed."""
        return self.began + share * 60.0 * self.minutes

    def check(self) -> None:
        """Give a run up that is too long or too large.

        Raises:
            AgentError: it is, and which setting says so.
        """
        if monotonic() > self.after(1.0):
            raise AgentError(
                f"learning takes longer than {self.minutes:g} minutes (learning.budget_minutes): "
                + _ADVICE
            )
        if self.memory_mb and (used := resident_mb()) > self.memory_mb:
            raise AgentError(
                f"learning takes {used:.0f} MB, more than {self.memory_mb} (learning.memory_mb): "
                + _ADVICE
            )


def resident_mb() -> float:
    """Megabytes (10^6 bytes) of this process in memory; where nothing tells, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize() / 1e6
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
