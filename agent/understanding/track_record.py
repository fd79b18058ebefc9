"""How often reviewers agreed with what a language model proposed."""

import hashlib
import json
import logging
import threading
from pathlib import Path

import filelock

from agent.feedback.correction import Correction
from agent.feedback.masking import mask
from agent.turn import OOS_INTENT
from agent.understanding.memory import fold

FORMAT = 2
# What a domain calls the messages that are for no intent, and what reviewers do.
OUTSIDE = frozenset({OOS_INTENT, "out_of_scope"})
_KEPT = 5000
_DIGITS = 16
_LOCK_TIMEOUT_S = 2.0
_log = logging.getLogger(__name__)


class TrackRecord:
    """Proposals by a digest of their (masked) message, kept in a file, and their judgement.

    Accepted corrections are read again at each start, so agreement needs no file. All processes
    of a project share the file; another model begins with none of the trust of the one before.

    Args:
        path: the file; None keeps nothing beyond this process.
        model: who proposes.
    """

    def __init__(self, path: Path | None = None, *, model: str = "") -> None:
        self._path, self._model, self._lock = path, model, threading.Lock()
        self._proposed: dict[str, str] = {}
        self._judged: dict[str, bool] = {}
        self._read_ns = 0
        self._catch_up()

    def note(self, text: str, intent: str | None) -> None:
        """Remember a proposal; None says that nothing fits."""
        with self._lock:
            if self._path is None:
                self._put(text, intent)
                return
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with filelock.FileLock(f"{self._path}.lock", timeout=_LOCK_TIMEOUT_S):
                    self._catch_up()
                    self._put(text, intent)
                    self._write(self._path)
            except (OSError, filelock.Timeout) as error:
                # The measure is a help for later; the message goes on.
                _log.warning("%s: proposals cannot be kept (%s)", self._path, error)

    def judge(self, correction: Correction) -> None:
        """Count an accepted correction of a message for which an intent was proposed, or no longer.

        That nothing fits decides nothing, so it earns no trust and costs none.
        """
        key = _digest(correction.text)
        with self._lock:
            if key not in self._proposed:
                self._catch_up()  # another process may have proposed
            proposed = self._proposed.get(key)
            if correction.state != "accepted":
                self._judged.pop(correction.id, None)
            elif proposed and correction.intent is not None:
                self._judged[correction.id] = _same(proposed, correction.intent)

    def trust(self) -> float:
        """The share of judged proposals that were right, in (0, 1), by Laplace's rule.

        One half before anything was judged.
        """
        return (sum(self._judged.values()) + 1) / (len(self._judged) + 2)

    def _put(self, text: str, intent: str | None) -> None:
        key = _digest(text)
        self._proposed.pop(key, None)
        self._proposed[key] = intent or ""
        while len(self._proposed) > _KEPT:
            self._proposed.pop(next(iter(self._proposed)))

    def _catch_up(self) -> None:
        """Take over what the file holds, if it was written since it was last read."""
        if self._path is None:
            return
        try:
            written_ns = self._path.stat().st_mtime_ns
        except OSError:
            return
        if written_ns != self._read_ns:
            self._read_ns = written_ns
            self._proposed.update(_read(self._path, self._model))

    def _write(self, path: Path) -> None:
        temporary = path.with_name(path.name + ".partial")
        entry = {"format": FORMAT, "model": self._model, "proposed": self._proposed}
        temporary.write_text(json.dumps(entry, ensure_ascii=False), encoding="utf-8")
        temporary.replace(path)
        self._read_ns = path.stat().st_mtime_ns


def _same(proposed: str, intent: str) -> bool:
    return proposed == intent or {proposed, intent} <= OUTSIDE


def _digest(text: str) -> str:
    # Corrections are stored masked, so messages are compared masked.
    folded = fold(mask(text).text).encode("utf-8", "surrogatepass")
    return hashlib.sha256(folded).hexdigest()[:_DIGITS]


def _read(path: Path, model: str) -> dict[str, str]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry["format"] == FORMAT and entry["model"] == model:
            return {str(key): str(intent) for key, intent in entry["proposed"].items()}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("%s: earlier proposals cannot be read (%s)", path, error)
    return {}
