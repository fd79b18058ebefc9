"""Collects what a reader finds wrong, so that all of a project's errors are told at once."""

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.errors import ProjectError
from agent.project.types import Notice, Place

Level = Literal["error", "warning", "info"]
NOWHERE = Place()


@dataclass
class Findings:
    """The notices found so far, in order; the same one is kept once."""

    notices: list[Notice] = field(default_factory=list)
    _seen: set[tuple[str, str, int, str]] = field(default_factory=set)
    _told: dict[str, list[Place]] = field(default_factory=dict)

    def tell_once(self, message: str, place: Place) -> None:
        """Note a change on reading that many files share; see `close`."""
        self._told.setdefault(message, []).append(place)

    def close(self) -> None:
        """Add one line for each change that was noted by `tell_once`, with its number of files."""
        for message, places in self._told.items():
            more = len({place.path for place in places}) - 1
            tail = f" (and in {more} more file{'s' if more > 1 else ''})" if more else ""
            self.add("info", message + tail, places[0])
        self._told.clear()

    def add(self, level: Level, message: str, place: Place = NOWHERE, key: str = "") -> None:
        """Record one finding."""
        mark = (message, place.path, place.line, key)
        if mark not in self._seen:
            self._seen.add(mark)
            self.notices.append(Notice(message, place, key, level))

    @property
    def errors(self) -> list[Notice]:
        """The findings that make a project unusable."""
        return [notice for notice in self.notices if notice.level == "error"]

    def raise_first(
        self, but_for: Container[str] = (), listed: str = ": `agent validate` lists all"
    ) -> None:
        """Raise the first error, if there is one outside the files `but_for`.

        `listed` says where all of several are.

        Raises:
            ProjectError: with its file, line and key, and how many more there are.
        """
        errors = [error for error in self.errors if error.place.path not in but_for]
        if not errors:
            return
        raise error_of(errors[0], more=len(errors) - 1, listed=listed)


def error_of(notice: Notice, more: int = 0, listed: str = "") -> ProjectError:
    """The exception for a notice; `more` further errors are mentioned."""
    tail = f" (and {more} more{listed})" if more else ""
    return ProjectError(
        notice.message + tail,
        path=notice.place.path or None,
        line=notice.place.line or None,
        key=notice.key or None,
    )


@dataclass(frozen=True)
class Source:
    """A file being read and where to report what is wrong in it; `path` is the shown one."""

    path: str
    findings: Findings
    file: Path = Path()
    root: Path = Path()

    def place(self, line: int = 0) -> Place:
        """A place in this file; `line` is 1-based, 0 if unknown."""
        return Place(self.path, line)

    def error(self, message: str, line: int = 0, key: str = "") -> None:
        """Report what makes the project unusable."""
        self.findings.add("error", message, self.place(line), key)

    def warning(self, message: str, line: int = 0, key: str = "") -> None:
        """Report what is probably a mistake or is not honoured."""
        self.findings.add("warning", message, self.place(line), key)

    def info(self, message: str, line: int = 0, key: str = "") -> None:
        """Report what was changed on reading."""
        self.findings.add("info", message, self.place(line), key)

    def info_once(self, message: str, line: int = 0) -> None:
        """Report a change that many files share, in one line for all of them."""
        self.findings.tell_once(message, self.place(line))
