"""Texts through an ONNX graph in batches of similar length; raw outputs, in order."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokenizers
from numpy.typing import NDArray

from agent.understanding.bio import Unit, find_units
from agent.understanding.casing import ignores_case, with_case
from knowledge.session import new_session
from training.errors import TrainingError
from training.lent_ids import lend_ids

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

BATCH_TEXTS = 32
# No tokenizer makes fewer tokens than this from so many characters of real text.
_CHARACTERS_PER_TOKEN = 32


@dataclass(frozen=True, slots=True)
class Tokens:
    """A tokenized text: ids with special tokens, and the units that carry tags."""

    ids: tuple[int, ...]
    units: tuple[Unit, ...]


class Tokenization:
    """A tokenizer with its limit; every text becomes `Tokens` of at most `max_tokens` ids."""

    def __init__(
        self, definition: Mapping[str, Any], max_tokens: int, *, casing: bool = False
    ) -> None:
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(definition))
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        self._tokenizer, self.max_tokens = tokenizer, max_tokens
        self.casing = casing and ignores_case(tokenizer)
        self._definition = {**definition, "truncation": None, "padding": None}
        self._check_offsets()

    @classmethod
    def load(
        cls, path: Path, max_tokens: int, texts: Iterable[str] = (), *, casing: bool = False
    ) -> "Tokenization":
        """Open a `tokenizer.json`; characters of the texts that it cannot read get ids.

        With `casing`, the ids say how words are written if the tokenizer does not tell.

        Raises:
            TrainingError: the file is unreadable, or the tokenizer knows no offsets.
        """
        try:
            definition = lend_ids(json.loads(path.read_bytes()), tuple(texts))
            return cls(definition, max_tokens, casing=casing)
        except TrainingError:
            raise
        except Exception as error:  # the library raises bare Exception
            raise TrainingError(f"{path} is no readable tokenizer ({error})") from error

    def limit(self, max_tokens: int) -> None:
        """Cut texts to fewer tokens from now on, if that is fewer than before."""
        self.max_tokens = min(self.max_tokens, max_tokens)
        self._tokenizer.enable_truncation(self.max_tokens)

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokens of each text."""
        limit = self.max_tokens * _CHARACTERS_PER_TOKEN
        # Rust strings hold no lone surrogates.
        cut = [text[:limit].encode("utf-8", "replace").decode() for text in texts]
        encodings = self._tokenizer.encode_batch(cut)
        return [
            Tokens(tuple(self._ids(text, e)), tuple(find_units(text, e.offsets)))
            for text, e in zip(cut, encodings, strict=True)
        ]

    def _ids(self, text: str, encoding: tokenizers.Encoding) -> Sequence[int]:
        ids: list[int] = encoding.ids
        return with_case(text, ids, encoding.offsets) if self.casing else ids

    def save(self, path: Path) -> None:
        """Write `tokenizer.json` without a length limit; the runtime sets its own."""
        # The library would write only one of the characters that share an id.
        path.write_text(json.dumps(self._definition, ensure_ascii=False), encoding="utf-8")

    def is_saved_as(self, path: Path) -> bool:
        """Whether a saved `tokenizer.json` is this tokenizer's."""
        try:
            return bool(json.loads(path.read_bytes()) == self._definition)
        except (OSError, ValueError):
            return False

    @property
    def mask_id(self) -> int | None:
        """The id of the encoder's mask token, None if it has none."""
        found = (self._tokenizer.token_to_id(name) for name in ("[MASK]", "<mask>"))
        return next((number for number in found if number is not None), None)

    def _check_offsets(self) -> None:
        probe = self._tokenizer.encode("book a table")
        if not any(end > start for start, end in probe.offsets):
            raise TrainingError(
                "this encoder's tokenizer gives no character offsets, which entities need; "
                "choose an encoder with a fast tokenizer"
            )


def run_graph(
    session: onnxruntime.InferenceSession,
    tokens: Sequence[Tokens],
    outputs: Sequence[str],
    *,
    pad_id: int = 0,
    report: Callable[[float], None] | None = None,
) -> Iterator[tuple[list[int], Ids, Mapping[str, Floats]]]:
    """Run all texts: yields positions (B,), attention mask (B, T) and the named outputs.

    `report` is told the share done in [0, 1].
    """
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i].ids))
    for start in range(0, len(order), BATCH_TEXTS):
        rows = order[start : start + BATCH_TEXTS]
        ids, mask = pad([tokens[i].ids for i in rows], pad_id)
        values = session.run(list(outputs), {"input_ids": ids, "attention_mask": mask})
        yield rows, mask, dict(zip(outputs, values, strict=True))
        if report is not None:
            report((start + len(rows)) / len(order))


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[Ids, Ids]:
    """Ids and attention mask (B, T) of rows of different length."""
    width = max(len(row) for row in rows)
    ids = np.full((len(rows), width), pad_id, dtype=np.int64)  # (B, T)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return ids, mask


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU; 0 threads = all cores.

    Raises:
        TrainingError: the graph cannot be loaded.
    """
    try:
        return new_session(path, threads)
    except Exception as error:  # the library has no common base class
        raise TrainingError(f"{path} is no readable ONNX graph ({error})") from error
