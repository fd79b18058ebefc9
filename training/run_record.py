"""What a learning run has set out to do, on the disk: a killed one goes on where it was."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from agent.errors import StoreError
from agent.feedback.correction import Correction
from agent.storage.files import write_whole
from agent.turn import now

_FILE = "run.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run: the model it began with and the corrections that it learns, by id."""

    champion: str
    corrections: tuple[str, ...]
    seed: int
    id: str = field(default_factory=lambda: uuid4().hex)
    started_at: str = field(default_factory=lambda: now().isoformat())

    def of(self, accepted: Sequence[Correction]) -> list[Correction]:
        """Those of the accepted corrections that the run set out with."""
        mine = set(self.corrections)
        return [one for one in accepted if one.id in mine]


def folder_of(root: Path) -> Path:
    """Where a project's runs keep what they need to go on."""
    return root / ".agent" / "learning"


def begin(root: Path, record: RunRecord) -> RunRecord:
    """Keep a run's record until `end`."""
    folder = folder_of(root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _FILE, json.dumps({"format": FORMAT, **asdict(record)}))
    except OSError as error:
        raise StoreError(f"cannot write in {folder}: {error.strerror}") from error
    return record


def interrupted(root: Path) -> RunRecord | None:
    """The run that was killed before it ended, None if there is none (or none we can read)."""
    try:
        data = json.loads((folder_of(root) / _FILE).read_text(encoding="utf-8"))
        if data.pop("format") != FORMAT:
            return None
        return RunRecord(**{**data, "corrections": tuple(data["corrections"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def end(root: Path) -> None:
    """Forget the run's record: it has ended."""
    (folder_of(root) / _FILE).unlink(missing_ok=True)
