"""How an encoder turns token states into one vector, read from its folder."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from knowledge.errors import AgentError, InputError

FORMAT = 3
SPEC_FILE = "encoder.json"
POOLINGS = ("mean", "cls", "max", "last")
MAX_TOKENS = 512


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What `encoder.json` says.

    `pooling` is one of mean, cls, max, last; `dimensions` the length of a vector; `max_tokens`
    the window with special tokens; `source_sha256` identifies the weights; `query_prompt` and
    `passage_prompt` are put before a text of that kind; `precision` is int8 or float32;
    `unrelated_cosine` is the mean cosine of texts that have nothing to do with each other:
    about 0 for most encoders, 0.7 and more for those of the E5 family.
    """

    name: str
    pooling: str
    dimensions: int
    max_tokens: int
    pad_id: int
    source_sha256: str
    precision: str = "int8"
    query_prompt: str = ""
    passage_prompt: str = ""
    cosine_to_float: float = 1.0
    unrelated_cosine: float = 0.0
    format: int = FORMAT

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits: equal fingerprints mean comparable vectors."""
        parts = (self.source_sha256, self.pooling, self.max_tokens, self.precision, self.format)
        prompts = (self.query_prompt, self.passage_prompt)
        return sha256(json.dumps([*parts, *prompts]).encode()).hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Writes `encoder.json` into `folder`."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2)
        (folder / SPEC_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "EncoderSpec":
        """Reads `encoder.json`; raises AgentError when it is missing, damaged or too new."""
        path = folder / SPEC_FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.get("format") != FORMAT:
                raise AgentError(
                    f"{path}: format {data.get('format')!r}, this version reads {FORMAT}; "
                    "delete the folder and it is made again"
                )
            return cls(**data)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise AgentError(f"{path}: not a readable encoder ({error})") from error


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages after the transformer, as sentence-transformers stores them.

    `dense` lists the folders of further linear layers; `max_tokens` is None when the folder
    does not say.
    """

    pooling: str = "mean"
    dense: tuple[Path, ...] = ()
    max_tokens: int | None = None
    query_prompt: str = ""
    passage_prompt: str = ""


def read_pipeline(folder: Path, name: str) -> Pipeline:
    """Reads pooling, window and prompts from an encoder's folder.

    Without sentence-transformers' files: mean pooling, except for BGE, which pools the first
    token. `name` is what the person gave; E5 models without stored prompts need theirs.

    Raises:
        InputError: a file is broken, or asks for a pooling we do not have.
    """
    pooling, dense = _pooling(folder, name)
    window = _read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    query_prompt, passage_prompt = _prompts(folder, name)
    return Pipeline(
        pooling=pooling,
        dense=dense,
        max_tokens=window if isinstance(window, int) else None,
        query_prompt=query_prompt,
        passage_prompt=passage_prompt,
    )


def _pooling(folder: Path, name: str) -> tuple[str, tuple[Path, ...]]:
    modules = _read_json(folder / "modules.json", default=[])
    if not modules:
        return ("cls" if "bge" in _words(name) else "mean"), ()
    pooling, dense = "mean", []
    for module in modules:
        kind = str(module.get("type", "")).rsplit(".", 1)[-1]
        place = folder / str(module.get("path", ""))
        if kind == "Pooling":
            pooling = _pooling_mode(place / "config.json")
        elif kind == "Dense":
            dense.append(place)
        elif kind not in {"Transformer", "Normalize", "Dropout"}:
            raise InputError(
                f"this encoder needs a {kind} stage, which is not supported", path=folder
            )
    return pooling, tuple(dense)


def _pooling_mode(path: Path) -> str:
    config = _read_json(path)
    stated = config.get("pooling_mode")
    if isinstance(stated, str):
        modes = [stated]
    else:
        prefix = "pooling_mode_"
        modes = [
            key.removeprefix(prefix) for key, on in config.items() if key.startswith(prefix) and on
        ]
    names = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max", "lasttoken": "last"}
    # Dividing by the root of the length changes the norm alone, and vectors are normalized.
    names["mean_sqrt_len_tokens"] = "mean"
    found = [names.get(mode, mode) for mode in modes] or ["mean"]
    if len(found) > 1 or found[0] not in POOLINGS:
        raise InputError(
            f"pooling {'+'.join(found)} is not one of {', '.join(POOLINGS)}", path=path
        )
    return found[0]


def _prompts(folder: Path, name: str) -> tuple[str, str]:
    prompts = _read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    query = str(prompts.get("query") or "")
    passage = str(prompts.get("passage") or prompts.get("document") or "")
    if not query and not passage and "e5" in _words(name):
        return "query: ", "passage: "
    return query, passage


def _words(name: str) -> list[str]:
    return name.lower().replace("/", "-").replace("_", "-").split("-")


def _read_json(path: Path, default: Any = None) -> Any:
    if not path.is_file():
        return {} if default is None else default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"not valid JSON ({error})", path=path) from error
