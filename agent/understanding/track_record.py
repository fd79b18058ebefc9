"""How often reviewers agreed with what a language model proposed."""

import hashlib
import json
import logging
import threading
from pathlib import Path

from agent.feedback.correction import Correction
from agent.feedback.masking import mask
from agent.understanding.memory import fold

FORMAT = 1
_KEPT = 5000
_DIGITS = 16
_log = logging.getLogger(__name__)


class TrackRecord:
    """Proposals by a digest of their (masked) message, kept in a file, and their judgement.

    Accepted corrections are read again at each start, so agreement needs no file.

    Args:
        path: the file; None keeps nothing beyond this process.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path, self._lock = path, threading.Lock()
        self._proposed: dict[str, str] = {} if path is None else _read(path)
        self._judged: dict[str, bool] = {}

    def note(self, text: str, intent: str | None) -> None:
        """Remember a proposal; None says that nothing fits."""
        with self._lock:
            key = _digest(text)
            self._proposed.pop(key, None)
            self._proposed[key] = intent or ""
            while len(self._proposed) > _KEPT:
                self._proposed.pop(next(iter(self._proposed)))
            self._write()

    def judge(self, correction: Correction) -> None:
        """Count an accepted correction of a message that had a proposal, or no longer."""
        proposed = self._proposed.get(_digest(correction.text))
        if correction.state != "accepted":
            self._judged.pop(correction.id, None)
        elif proposed is not None and correction.intent is not None:
            self._judged[correction.id] = proposed == correction.intent

    def trust(self) -> float:
        """The share of judged proposals that were right, in (0, 1), by Laplace's rule.

        One half before anything was judged.
        """
        return (sum(self._judged.values()) + 1) / (len(self._judged) + 2)

    def _write(self) -> None:
        if self._path is None:
            return
        temporary = self._path.with_name(self._path.name + ".partial")
        entry = {"format": FORMAT, "proposed": self._proposed}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(entry, ensure_ascii=False), encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:
            # The measure is a help for later; the message goes on.
            _log.warning("%s: proposals cannot be kept (%s)", self._path, error)


def _digest(text: str) -> str:
    # Corrections are stored masked, so messages are compared masked.
    folded = fold(mask(text).text).encode("utf-8", "surrogatepass")
    return hashlib.sha256(folded).hexdigest()[:_DIGITS]


def _read(path: Path) -> dict[str, str]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if entry["format"] == FORMAT:
            return {str(key): str(intent) for key, intent in entry["proposed"].items()}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("%s: earlier proposals cannot be read (%s)", path, error)
    return {}
