"""Gives the folder of a ready int8 encoder, converting the weights once per user."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import filelock

from knowledge.encoder_source import (
    DEFAULT_ENCODER,
    PACKAGED_NAMES,
    PACKAGED_SHA256,
    check_encoder_folder,
    check_name,
    local_folder,
    weight_files,
)
from knowledge.encoder_spec import FORMAT, SPEC_FILE, EncoderSpec
from knowledge.errors import AgentError, InputError
from knowledge.home import home

CONVERSION_TIMEOUT_S = 1800.0


def encoder_folder(
    name_or_path: str = DEFAULT_ENCODER,
    *,
    precision: str = "int8",
    notify: Callable[[str], None] | None = None,
) -> Path:
    """The folder with `encoder.onnx`, `tokenizer.json` and `encoder.json` of an encoder.

    Made once under a file lock, in a child process, so that torch is never imported here;
    afterwards the look-up costs a few file reads. `precision` is int8 or float32; `notify`
    is told, in one sentence, when a conversion starts.

    Raises:
        InputError: no such folder or model, or not a kind of encoder we can convert.
        AgentError: the hub cannot be reached, or the conversion failed.
    """
    name = DEFAULT_ENCODER if name_or_path in PACKAGED_NAMES else name_or_path
    encoders = home() / "encoders"
    folder = encoders / f"{_cache_key(name)}-{precision}-{FORMAT}"
    if _is_ready(folder):
        return folder
    try:
        encoders.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(encoders / f"{folder.name}.lock"):
            if not _is_ready(folder):
                if notify is not None:
                    notify(f"preparing the encoder {name} (once, about half a minute)")
                _convert_into(name, precision, folder)
    except OSError as error:
        raise AgentError(
            f"cannot keep the converted encoder in {encoders} ({error}); "
            "make the folder writable or set INTENT_AGENT_HOME to another one"
        ) from error
    return folder


def _cache_key(name: str) -> str:
    """A folder name that changes with the weights: by checksum, file times, or name."""
    if name == DEFAULT_ENCODER:
        return f"all-MiniLM-L6-v2-{PACKAGED_SHA256[:12]}"
    path = local_folder(name)
    if path is not None:
        check_encoder_folder(path)
        stats = [(file.name, file.stat()) for file in (path / "config.json", *weight_files(path))]
        facts: list[object] = [(n, stat.st_size, stat.st_mtime_ns) for n, stat in stats]
        identity = json.dumps([str(path), facts])
    else:
        check_name(name)
        identity = name
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", name)[-40:].strip("-.")
    return f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _is_ready(folder: Path) -> bool:
    # The folder appears by one rename, whole; the look guards against hand-made holes.
    return all((folder / file).is_file() for file in (SPEC_FILE, "encoder.onnx", "tokenizer.json"))


def _convert_into(name: str, precision: str, folder: Path) -> None:
    temporary = folder.with_name(f".{folder.name}.partial")
    for leftover in (temporary, folder):
        if leftover.exists():
            shutil.rmtree(leftover)
    temporary.mkdir()
    try:
        _run_child(name, precision, temporary)
        EncoderSpec.load(temporary)
        _fsync_all(temporary)
        temporary.rename(folder)
        _fsync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _run_child(name: str, precision: str, folder: Path) -> None:
    """Runs the exporter; its last line on standard output says what went wrong, if anything."""
    source = str(local_folder(name) or name)
    command = [
        sys.executable,
        "-m",
        "knowledge.export",
        source,
        str(folder),
        "--precision",
        precision,
    ]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=CONVERSION_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"converting {name} took over {CONVERSION_TIMEOUT_S:.0f} s") from error
    if child.returncode == 0:
        return
    lines = [line for line in (child.stdout + child.stderr).splitlines() if line.strip()]
    message = lines[-1].strip() if lines else f"exit code {child.returncode}"
    if child.stdout.strip():
        message = child.stdout.strip().splitlines()[-1]
    if child.returncode == InputError.exit_code:
        raise InputError(message)
    raise AgentError(f"converting the encoder {name} failed: {message}")


def _fsync_all(folder: Path) -> None:
    for file in folder.iterdir():
        _fsync(file)
    _fsync(folder)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
