"""Trainings and tests that Rasa's clients ask for: the command line in a child process."""

import asyncio
import contextlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agent.errors import AgentError, InputError
from agent.web.errors import HttpError

CONFIG_KEYS = ("recipe", "language", "pipeline", "policies", "assistant_id")
DATA_KEYS = ("nlu", "stories", "rules")
LONGEST_S = 3600.0


@dataclass(slots=True)
class Jobs:
    """Runs one job at a time beside the server.

    Args:
        root: the project's folder.
    """

    root: Path
    active: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def train(self, body: bytes, *, keep: bool) -> tuple[str, bytes]:
        """Train a project that is given as YAML: the model's id, and its folder as tar.gz.

        Args:
            body: domain, configuration and training data in one YAML (or JSON) document.
            keep: whether the model is kept among the project's as a candidate.

        Raises:
            InputError: the project is wrong; says what `agent train` says.
            HttpError: another job runs (409).
        """
        async with self._alone() as folder:
            project = folder / "project"
            await asyncio.to_thread(write_project, project, body, self.root / "settings.yml")
            self.active += 1
            try:
                await self._agent("train", "--json", "--project", str(project))
            finally:
                self.active -= 1
            name = (project / "models" / "production").read_text("utf-8").strip()
            packed = await asyncio.to_thread(_packed, project / "models" / name)
            if keep:
                target = self.root / "models" / name
                target.parent.mkdir(exist_ok=True)
                (project / "models" / name).rename(target)
            return name, packed

    async def test(self, flag: str, body: bytes, suffix: str) -> dict[str, Any]:
        """Test the serving model on a file: what `agent test --json` says.

        Raises:
            InputError: the file is wrong.
            HttpError: another job runs (409).
        """
        async with self._alone() as folder:
            file = folder / f"test_given{suffix}"
            file.write_bytes(body)
            printed = await self._agent(
                "test", flag, str(file), "--json", "--out", str(folder / "out"),
                "--project", str(self.root), failure_prints=True,
            )  # fmt: skip
            found: dict[str, Any] = json.loads(printed)
            return found

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Path]:
        if self._lock.locked():
            raise HttpError(409, "another training or test is running: try again later")
        async with self._lock:
            (self.root / ".agent").mkdir(exist_ok=True)
            # On the project's own disk, so that a model is moved by a rename.
            folder = Path(tempfile.mkdtemp(prefix="job-", dir=self.root / ".agent"))
            try:
                yield folder
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, True)

    async def _agent(self, *arguments: str, failure_prints: bool = False) -> str:
        """Run the command line; what it prints."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent", *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_yield_processor,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(child.communicate(), LONGEST_S)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            raise
        if child.returncode == 0 or (failure_prints and out.strip()):
            return out.decode("utf-8", "replace")
        lines = err.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        if child.returncode == InputError.exit_code:
            raise InputError(lines[-1].removeprefix("agent: "))
        raise AgentError(f"the job failed: {lines[-1]}")


def write_project(folder: Path, body: bytes, settings: Path) -> None:
    """A project's folder from one document with the keys of all its files.

    It is trained with the `settings` of the project that asks, where there are some.

    Raises:
        InputError: the document is no mapping in YAML, or has no training data.
    """
    try:
        data = YAML(typ="safe", pure=True).load(body.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"the body is not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict) or not any(data.get(key) for key in DATA_KEYS):
        raise InputError("the body must be a mapping with `nlu`, `stories` or `rules`")
    config = {key: data.pop(key) for key in CONFIG_KEYS if key in data}
    training = {key: data.pop(key) for key in DATA_KEYS if key in data}
    version = data.pop("version", "3.1")
    folder.mkdir(parents=True)
    if settings.is_file():
        shutil.copy(settings, folder / "settings.yml")
    _write(folder / "config.yml", config)
    _write(folder / "domain.yml", {"version": version, **data})
    (folder / "data").mkdir()
    _write(folder / "data" / "training.yml", {"version": version, **training})


def _write(path: Path, data: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(dict(data), file)


def _packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    return buffer.getvalue()


def _yield_processor() -> None:
    """A job must not take the processor from the turns."""
    os.nice(10)
