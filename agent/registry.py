"""The model folders of a project: sealed, checked, promoted, rolled back."""

import hashlib
import json
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from agent.errors import ModelError
from agent.model_folder import hash_files, read_manifest, seal, temporary_in, verify
from agent.storage.files import FileLock, append_line, sync_folder, write_whole
from agent.turn import now

POINTER = "production"
HISTORY = "history.jsonl"
TRIAL = "trial"
VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
State = Literal["candidate", "production", "retired", "broken"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A published model folder.

    `manifest` is its manifest.json; `state` is production for the one the pointer names,
    retired if it was that once, else candidate; a folder that cannot be used is `broken`
    and `problem` says why.
    """

    id: str
    path: Path
    state: State
    created_at: datetime | None = None
    parent: str | None = None
    data_hashes: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the history: which version took over from which, when, why and by whom."""

    at: datetime
    action: Literal["promote", "rollback"]
    id: str
    previous: str | None
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrialPointer:
    """Which model is on trial and how: in the `shadow` of the serving one, or as a `canary`.

    `share` in [0, 1] of the conversations are the canary's; `since` is an ISO time, UTC.
    """

    model: str
    mode: Literal["shadow", "canary"]
    share: float
    since: str


class Registry:
    """The folder `models` of a project. Safe for several processes; a crash leaves the old state.

    Args:
        project_root: the project's folder.
    """

    def __init__(self, project_root: Path) -> None:
        self.folder = project_root / "models"
        self._seen: tuple[tuple[int, int, int] | None, str | None] = (None, None)
        self._tried: tuple[tuple[int, int, int] | None, TrialPointer | None] = (None, None)

    def temporary(self) -> Path:
        """A new empty folder to build a model in; see `temporary_in`."""
        self._make()
        return temporary_in(self.folder)

    def publish(self, folder: Path, manifest: Mapping[str, Any]) -> ModelVersion:
        """Seal a folder made by `temporary` and give it its final name, at once and for good.

        Args:
            folder: the finished model; it is renamed.
            manifest: what manifest.json shall say besides id, format, time and files.

        Raises:
            ModelError: the folder is empty, holds links, or the disk refuses.
        """
        created = now()
        self._make()
        with self._lock():
            name = self._free_name(created, hash_files(folder))
            sealed = seal(folder, {**manifest, "id": name, "created_at": created.isoformat()})
            target = self.folder / name
            folder.rename(target)
            sync_folder(self.folder)
        return _version(target, sealed, "candidate")

    def versions(self) -> list[ModelVersion]:
        """Every published version, newest first; unusable ones are listed as broken."""
        if not self.folder.is_dir():
            return []
        production = self.production_id()
        once = {line.id for line in self.history()}
        found = []
        for path in self.folder.iterdir():
            if path.is_dir() and not path.name.startswith("."):
                found.append(self._read(path, production, once))
        return sorted(found, key=lambda version: version.id, reverse=True)

    def version(self, version_id: str) -> ModelVersion:
        """One version by its id, or by the only beginning of an id that fits.

        Raises:
            ModelError: there is none, or several fit.
        """
        all_of_them = self.versions()
        fits = [v for v in all_of_them if v.id == version_id] or [
            v for v in all_of_them if version_id and version_id in v.id
        ]
        if len(fits) == 1:
            return fits[0]
        known = ", ".join(v.id for v in (fits or all_of_them)[:8]) or "none"
        what = "several models fit" if fits else "there is no model"
        raise ModelError(f"{what} {version_id!r} in {self.folder}: {known}")

    def production_id(self) -> str | None:
        """The id the pointer names, None if there is no pointer. One `stat` if nothing changed."""
        try:
            state = (self.folder / POINTER).stat()
        except FileNotFoundError:
            return None
        stamp = (state.st_ino, state.st_mtime_ns, state.st_size)
        if stamp != self._seen[0]:
            text = (self.folder / POINTER).read_text(encoding="utf-8").strip()
            self._seen = (stamp, text or None)
        return self._seen[1]

    def production(self) -> ModelVersion | None:
        """The version that serves, None if none was ever promoted.

        Raises:
            ModelError: the pointer names a folder that is missing or unusable.
        """
        name = self.production_id()
        if name is None:
            return None
        if not VERSION_NAME.fullmatch(name):
            raise ModelError(f"{self.folder / POINTER} holds no model id: {name[:80]!r}")
        path = self.folder / name
        if not path.is_dir():
            raise ModelError(
                f"{self.folder / POINTER} names {name}, which is missing: "
                "run `agent models rollback`, `agent models promote ID` or `agent train`"
            )
        return _version(path, read_manifest(path), "production")

    def trial(self) -> TrialPointer | None:
        """What is on trial, None if nothing is. One `stat` if nothing changed."""
        try:
            state = (self.folder / TRIAL).stat()
        except FileNotFoundError:
            return None
        stamp = (state.st_ino, state.st_mtime_ns, state.st_size)
        if stamp != self._tried[0]:
            self._tried = (stamp, _trial(self.folder / TRIAL))
        return self._tried[1]

    def start_trial(
        self, version_id: str, mode: Literal["shadow", "canary"], *, share: float = 0.1
    ) -> TrialPointer:
        """Put a version on trial beside the serving one, in every process.

        Raises:
            ModelError: it is unknown, serves already, or its files are not as published.
        """
        version = self.version(version_id)
        if version.state == "production":
            raise ModelError(f"{version.id} serves already: put another version on trial")
        verify(version.path)
        pointer = TrialPointer(version.id, mode, share, now().isoformat())
        with self._lock():
            write_whole(self.folder / TRIAL, json.dumps(asdict(pointer)) + "\n")
        return pointer

    def end_trial(self) -> None:
        """End the trial, if there is one; the serving model stays."""
        (self.folder / TRIAL).unlink(missing_ok=True)

    def promote(
        self,
        version_id: str,
        *,
        by: str = "",
        reason: str = "",
        check: bool = True,
        expected: str | None = None,
    ) -> ModelVersion:
        """Let a version serve from the next turn on, in every process.

        Args:
            version_id: which.
            by: who says so, for the history.
            reason: why, for the history.
            check: whether its files are compared with what was published.
            expected: the version that must still serve; None: whichever does.

        Raises:
            ModelError: it is unknown, (with `check`) its files are not as published, or
                another version than the `expected` one serves by now.
        """
        version = self.version(version_id)
        if check:
            verify(version.path)
        with self._lock():
            present = self.production_id()
            if expected is not None and present != expected:
                raise ModelError(f"{present} serves by now instead of {expected}")
            self._point(Promotion(now(), "promote", version.id, self.production_id(), by, reason))
            tried = self.trial()
            if tried is not None and tried.model == version.id:
                self.end_trial()
        return self.version(version.id)

    def earlier(self) -> str | None:
        """The version that a rollback would let serve, None if there is none."""
        found = [one for one in self._served() if (self.folder / one).is_dir()]
        if found and found[-1] == self.production_id():
            found.pop()
        return found[-1] if found else None

    def rollback(self, *, by: str = "", reason: str = "") -> ModelVersion:
        """Let the version serve that served before the present one.

        Raises:
            ModelError: there is none before it, or its files are not as published.
        """
        with self._lock():
            present, earlier = self.production_id(), self.earlier()
            if earlier is None:
                raise ModelError(f"no model served before {present or 'this'}: nothing to go to")
            verify(self.folder / earlier)
            self._point(Promotion(now(), "rollback", earlier, present, by, reason))
        return self.version(earlier)

    def history(self) -> list[Promotion]:
        """All promotions and rollbacks that took effect, oldest first.

        A line whose pointer was never written (a crash came between) is left out: the chain
        of `previous` that ends at the pointer does not pass through it.
        """
        try:
            lines = (self.folder / HISTORY).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        entries = [entry for entry in map(_promotion, lines) if entry is not None]
        chain, expected = [], self.production_id()
        for entry in reversed(entries):
            if entry.id == expected:
                chain.append(entry)
                expected = entry.previous
        # A pointer written by hand is the end of no chain: then every line counts.
        return chain[::-1] or entries

    def _read(self, path: Path, production: str | None, once: Collection[str]) -> ModelVersion:
        state: State = "retired" if path.name in once else "candidate"
        if path.name == production:
            state = "production"
        try:
            return _version(path, verify(path, names=()), state)
        except ModelError as error:
            return ModelVersion(path.name, path, "broken", problem=str(error))

    def _served(self) -> list[str]:
        """The versions that served, as a stack: a promotion pushes, a rollback pops."""
        stack: list[str] = []
        for line in self.history():
            while line.action == "rollback" and stack and stack[-1] != line.id:
                stack.pop()
            if stack[-1:] != [line.id]:
                stack.append(line.id)
        return stack

    def _point(self, promotion: Promotion) -> None:
        """Write the history line, then the pointer: the pointer decides what took effect."""
        line = {
            "at": promotion.at.isoformat(),
            "action": promotion.action,
            "id": promotion.id,
            "previous": promotion.previous,
            "by": promotion.by,
            "reason": promotion.reason,
        }
        try:
            append_line(self.folder / HISTORY, json.dumps(line, ensure_ascii=False))
            write_whole(self.folder / POINTER, promotion.id + "\n")
        except OSError as error:
            raise ModelError(f"cannot write in {self.folder}: {error.strerror}") from error

    def _free_name(self, created: datetime, digest: str) -> str:
        name = f"{created:%Y%m%dT%H%M%SZ}-{digest[:8]}"
        number = 2
        candidate = name
        while (self.folder / candidate).exists():
            candidate, number = f"{name}-{number}", number + 1
        return candidate

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(f"cannot make {self.folder}: {error.strerror}") from error

    def _lock(self) -> FileLock:
        self._make()
        return FileLock(self.folder / ".lock")


def _version(path: Path, manifest: Mapping[str, Any], state: State) -> ModelVersion:
    created = manifest.get("created_at")
    return ModelVersion(
        id=path.name,
        path=path,
        state=state,
        created_at=datetime.fromisoformat(created) if isinstance(created, str) else None,
        parent=manifest.get("parent"),
        data_hashes=manifest.get("data_hashes", {}),
        report=manifest.get("report", {}),
        manifest=manifest,
    )


def _promotion(line: str) -> Promotion | None:
    """A line of the history, None for one that a crash tore."""
    try:
        data = json.loads(line)
        at = datetime.fromisoformat(data["at"]).astimezone(UTC)
        return Promotion(
            at, data["action"], data["id"], data["previous"], data["by"], data["reason"]
        )
    except (ValueError, KeyError, TypeError):
        _log.warning("a torn line in the models' history is left out: %.80r", line)
        return None


def _trial(path: Path) -> TrialPointer | None:
    try:
        return TrialPointer(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        _log.warning("%s cannot be read, nothing is on trial: %s", path, error)
        return None


def mark_of(conversation: str) -> str:
    """What a manifest holds of a conversation that taught a model: sixteen digits, no name."""
    return hashlib.sha256(conversation.encode("utf-8", "surrogatepass")).hexdigest()[:16]
