"""The understanding network on a CPU: a model folder's int8 ONNX graph and its tokenizer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from agent.errors import ModelError
from agent.understanding.bio import TaggedSpan, decode_logits, find_units
from agent.understanding.confidence import in_scope, scope_features, softmax
from agent.understanding.labels import Spec, load_spec

Floats = NDArray[np.float32]

NETWORK_FILE = "understanding.onnx"
TOKENIZER_FILE = "tokenizer.json"
VECTORS_FILE = "vectors.npy"
EXAMPLES_FILE = "examples.json"
_BATCH = 32


@dataclass(frozen=True, slots=True)
class KnownExamples:
    """The training examples: texts, intents (n,) and unit vectors (n, H)."""

    texts: tuple[str, ...]
    intents: NDArray[np.str_]
    vectors: Floats

    def inside(self) -> Floats:
        """The vectors of examples that have an intent (m, H)."""
        inside: Floats = self.vectors[(self.intents != "oos") & (self.intents != "")]
        return inside

    def outside(self) -> Floats:
        """The vectors of examples marked `oos` (k, H)."""
        outside: Floats = self.vectors[self.intents == "oos"]
        return outside


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """One text through the network.

    `intents` (I,), `responses` (R,) and each of `heads` (C,) are calibrated probabilities,
    `in_scope` is in [0, 1], higher = more in scope, `pooled` is the unit vector (H,).
    """

    intents: Floats
    spans: tuple[TaggedSpan, ...]
    in_scope: float
    pooled: Floats
    responses: Floats
    heads: Mapping[str, Floats]


@dataclass(slots=True)
class Network:
    """A loaded network; `run` may be called from several threads."""

    spec: Spec
    examples: KnownExamples
    _session: ort.InferenceSession
    _tokenizer: Tokenizer
    _inside: Floats
    _outside: Floats

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Load a model folder's network.

        Args:
            folder: the model folder.
            threads: processor threads of one forward pass.

        Raises:
            ModelError: a file is missing, truncated or does not fit the others.
        """
        spec = load_spec(folder)
        session = _open_session(folder / NETWORK_FILE, threads)
        tokenizer = _open_tokenizer(folder / TOKENIZER_FILE, spec.max_tokens)
        examples = _read_examples(folder)
        return cls(spec, examples, session, tokenizer, examples.inside(), examples.outside())

    def run(self, texts: Sequence[str]) -> list[NetworkOutput]:
        """Understand texts, in batches of similar length; results in the order given."""
        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
        results: list[NetworkOutput | None] = [None] * len(texts)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            outputs = self._forward([encodings[i] for i in rows])
            scope = self._scope(outputs)
            for row, i in enumerate(rows):
                results[i] = self._read(texts[i], encodings[i], outputs, row, float(scope[row]))
        return [result for result in results if result is not None]

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors (n, H) of texts, the network's pooled states."""
        if not texts:
            return np.zeros((0, self._inside.shape[1] if self._inside.ndim == 2 else 0), np.float32)
        return np.stack([output.pooled for output in self.run(texts)])

    def words(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the units that the network sees in a text."""
        return [(u.start, u.end) for u in find_units(text, self._tokenizer.encode(text).offsets)]

    def _forward(self, encodings: Sequence[Encoding]) -> dict[str, Floats]:
        width = max(len(e.ids) for e in encodings)
        ids = np.zeros((len(encodings), width), dtype=np.int64)
        mask = np.zeros((len(encodings), width), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, given), strict=True))

    def _scope(self, outputs: Mapping[str, Floats]) -> Floats:
        logits = outputs.get("intent_logits")
        if logits is None or not self.spec.scope.features:
            return np.ones(len(outputs["pooled"]), dtype=np.float32)
        temperature = self.spec.temperature("intent")
        pooled = outputs["pooled"]
        features = scope_features(logits, pooled, self._inside, self._outside, temperature)
        return in_scope(self.spec.scope, features)

    def _read(
        self,
        text: str,
        encoding: Encoding,
        outputs: Mapping[str, Floats],
        row: int,
        scope: float,
    ) -> NetworkOutput:
        return NetworkOutput(
            intents=self._probabilities(outputs, "intent", row),
            spans=self._spans(text, encoding, outputs, row),
            in_scope=scope,
            pooled=outputs["pooled"][row],
            responses=self._probabilities(outputs, "response", row),
            heads={
                name: self._probabilities(outputs, f"head_{name}", row, suffix="")
                for name in self.spec.heads
            },
        )

    def _probabilities(
        self, outputs: Mapping[str, Floats], output: str, row: int, *, suffix: str = "_logits"
    ) -> Floats:
        logits = outputs.get(output + suffix)
        if logits is None:
            return np.zeros(0, dtype=np.float32)
        return softmax(logits[row], self.spec.temperature(output))

    def _spans(
        self, text: str, encoding: Encoding, outputs: Mapping[str, Floats], row: int
    ) -> tuple[TaggedSpan, ...]:
        logits = outputs.get("entity_logits")
        if logits is None:
            return ()
        units = find_units(text, encoding.offsets)
        return tuple(decode_logits(units, logits[row], self.spec.span_types))


def _open_session(path: Path, threads: int) -> ort.InferenceSession:
    if not path.is_file():
        raise ModelError(f"{path} is missing; run `agent train` to make the model again")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # onnxruntime's errors share no base class of their own below Exception.
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path} cannot be loaded ({reason}); run `agent train` to make the model again"
        ) from error


def _open_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    # tokenizers raises bare Exception for every fault of a file.
    except Exception as error:
        raise ModelError(
            f"{path} cannot be loaded ({error}); run `agent train` to make the model again"
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _read_examples(folder: Path) -> KnownExamples:
    try:
        vectors = np.load(folder / VECTORS_FILE, allow_pickle=False).astype(np.float32)
        rows = json.loads((folder / EXAMPLES_FILE).read_text(encoding="utf-8"))
        texts = tuple(str(row["text"]) for row in rows)
        intents = np.array([row["intent"] or "" for row in rows], dtype=np.str_)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder}: {VECTORS_FILE} or {EXAMPLES_FILE} cannot be read ({error}); "
            "run `agent train` to make the model again"
        ) from error
    if len(vectors) != len(texts):
        raise ModelError(f"{folder}: {VECTORS_FILE} and {EXAMPLES_FILE} differ in length")
    return KnownExamples(texts, intents, vectors)
