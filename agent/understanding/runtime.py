"""The understanding network at run time: a model folder's engine, tokenizer and examples."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from agent.errors import ModelError
from agent.understanding.bio import TaggedSpan, decode_logits, find_units
from agent.understanding.casing import with_case
from agent.understanding.confidence import (
    class_centres,
    in_scope,
    intent_members,
    scope_features,
    softmax,
)
from agent.understanding.edges import Edges
from agent.understanding.engine import Device, Engine, Floats, open_engine
from agent.understanding.labels import SpanType, Spec, load_spec
from agent.understanding.spelling import Spelling
from agent.understanding.transitions import follow_scores

TOKENIZER_FILE = "tokenizer.json"
VECTORS_FILE = "vectors.npy"
EXAMPLES_FILE = "examples.json"
_BATCH = 32
# Padding included. A larger batch of long texts leaves the processor's cache: on an Intel Xeon,
# texts of 48 tokens take 4.6 ms each in batches of 32, 3.6 in batches of 8.
_BATCH_TOKENS = 512
_TAGS = "entity_logits"
_PADDED = 12  # so many tokens of padding cost about as much as a forward pass begins with


@dataclass(frozen=True, slots=True)
class KnownExamples:
    """The training examples: texts, intents and classes (n,), and unit vectors (n, H).

    An example's class is its response key if it has one, else its intent; `spans` are each
    text's annotated ones, none at all in models that did not keep them.
    """

    texts: tuple[str, ...]
    intents: NDArray[np.str_]
    vectors: Floats
    classes: NDArray[np.str_]
    spans: tuple[tuple[TaggedSpan, ...], ...] = ()

    def centres(self, classes: Sequence[str]) -> Floats:
        """The unit vector (C, H) in the middle of each class's examples."""
        number = {name: i for i, name in enumerate(classes)}
        numbers = np.array([number.get(str(name), -1) for name in self.classes], dtype=np.int64)
        return class_centres(self.vectors[numbers >= 0], numbers[numbers >= 0], len(classes))

    def outside(self) -> Floats:
        """The vectors of examples marked `oos` (k, H)."""
        outside: Floats = self.vectors[self.intents == "oos"]
        return outside


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """One text through the network.

    `intents` (I,), `classes` (C,) and each of `heads` are calibrated probabilities,
    `in_scope` is in [0, 1], higher = more in scope, `pooled` is the unit vector (H,).
    """

    intents: Floats
    spans: tuple[TaggedSpan, ...]
    in_scope: float
    pooled: Floats
    classes: Floats
    heads: Mapping[str, Floats]


@dataclass(slots=True)
class Network:
    """A loaded network; `run` may be called from several threads."""

    spec: Spec
    examples: KnownExamples
    _engine: Engine
    _tokenizer: Tokenizer
    _members: Floats | None
    _centres: Floats
    _outside: Floats
    _follows: Floats | None
    _spelling: Spelling
    _edges: Edges | None

    @classmethod
    def load(cls, folder: Path, *, device: Device = "cpu", threads: int = 1) -> Self:
        """Load a model folder's network.

        Args:
            folder: the model folder.
            device: where the forward pass runs, see `open_engine`.
            threads: processor threads of one forward pass.

        Raises:
            ModelError: a file is missing, truncated or does not fit the others.
        """
        spec = load_spec(folder)
        engine = open_engine(folder, device=device, threads=threads)
        tokenizer = _open_tokenizer(folder / TOKENIZER_FILE, spec.max_tokens)
        examples = _read_examples(folder)
        same = spec.classes == spec.intents
        members = None if same else intent_members(spec.classes, spec.intents)
        centres = examples.centres(spec.classes)
        outside, follows = examples.outside(), follow_scores(spec.transitions)
        spelling = Spelling.load(folder)
        # Older models did not keep how their examples are annotated.
        edges = Edges.of(examples.texts, examples.spans) if any(examples.spans) else None
        return cls(
            spec, examples, engine, tokenizer, members, centres, outside, follows, spelling, edges
        )

    def run(self, texts: Sequence[str]) -> list[NetworkOutput]:
        """Understand texts, in batches of similar length; results in the order given."""
        encodings = self._encode(texts)
        results: list[NetworkOutput | None] = [None] * len(texts)
        for rows in batches_of([len(encoding.ids) for encoding in encodings]):
            outputs = self._forward([texts[i] for i in rows], [encodings[i] for i in rows])
            scope = self._scope(outputs)
            for row, i in enumerate(rows):
                results[i] = self._read(texts[i], encodings[i], outputs, row, float(scope[row]))
        return [result for result in results if result is not None]

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors (n, H) of texts, the network's pooled states."""
        if not texts:
            return np.zeros((0, self.examples.vectors.shape[1]), np.float32)
        return np.stack([output.pooled for output in self.run(texts)])

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        if len(texts) <= _BATCH:
            # A batch is handed to other threads, which takes longer than a few short texts.
            return [self._tokenizer.encode(text) for text in texts]
        encodings: list[Encoding] = self._tokenizer.encode_batch(list(texts))
        return encodings

    def words(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the units that the network sees in a text."""
        return [(u.start, u.end) for u in find_units(text, self._tokenizer.encode(text).offsets)]

    def _forward(self, texts: Sequence[str], encodings: Sequence[Encoding]) -> dict[str, Floats]:
        width = max(len(e.ids) for e in encodings)
        ids = np.zeros((len(encodings), width), dtype=np.int64)
        mask = np.zeros((len(encodings), width), dtype=np.int64)
        for row, (text, encoding) in enumerate(zip(texts, encodings, strict=True)):
            own = encoding.ids
            mask[row, : len(own)] = 1
            ids[row, : len(own)] = (
                with_case(text, own, encoding.offsets) if self.spec.casing else own
            )
        return self._spelling.add_to(self._engine(ids, mask), texts)

    def outputs(self, texts: Sequence[str]) -> dict[str, Floats]:
        """What is said of a whole text before calibration, n rows each.

        `pooled` (n, H), and those there are of `intent_logits` (n, C) and `head_<name>` (n, C).
        """
        encodings = self._encode(texts)
        rows: list[dict[str, Floats]] = [{}] * len(texts)
        for batch in batches_of([len(encoding.ids) for encoding in encodings]):
            found = self._forward([texts[i] for i in batch], [encodings[i] for i in batch])
            for row, i in enumerate(batch):
                rows[i] = {name: values[row] for name, values in found.items() if name != _TAGS}
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def scope_features(self, outputs: Mapping[str, Floats]) -> Mapping[str, Floats]:
        """What the spec's scope model looks at, each (n,); see `confidence.scope_features`."""
        pooled = outputs["pooled"]
        nearest = (pooled @ self._centres.T).max(axis=1)
        return scope_features(
            outputs["intent_logits"],
            nearest,
            pooled,
            self._outside,
            self.spec.temperature("intent"),
            wanted=self.spec.scope.features,
        )

    def _scope(self, outputs: Mapping[str, Floats]) -> Floats:
        if "intent_logits" not in outputs or not self.spec.scope.features:
            return np.ones(len(outputs["pooled"]), dtype=np.float32)
        return in_scope(self.spec.scope, self.scope_features(outputs))

    def _read(
        self,
        text: str,
        encoding: Encoding,
        outputs: Mapping[str, Floats],
        row: int,
        scope: float,
    ) -> NetworkOutput:
        classes = self._probabilities(outputs, "intent", row)
        return NetworkOutput(
            intents=classes if self._members is None else classes @ self._members,
            spans=self._spans(text, encoding, outputs, row),
            in_scope=scope,
            pooled=outputs["pooled"][row],
            classes=classes,
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
        logits = outputs.get(_TAGS)
        if logits is None:
            return ()
        units = find_units(text, encoding.offsets)
        spans = decode_logits(units, logits[row], self.spec.span_types, self._follows)
        return tuple(spans) if self._edges is None else self._edges.trim(text, spans)


def batches_of(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of texts, shortest first, in batches that pad few tokens and are not large."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch:
            padded = (lengths[place] - lengths[batch[-1]]) * len(batch)
            full = len(batch) == _BATCH or lengths[place] * (len(batch) + 1) > _BATCH_TOKENS
            if full or padded > _PADDED:
                yield batch
                batch = []
        batch.append(place)
    if batch:
        yield batch


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
        classes = np.array([row["response"] or row["intent"] or "" for row in rows], np.str_)
        spans = tuple(tuple(map(_span, row.get("entities", ()))) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder}: {VECTORS_FILE} or {EXAMPLES_FILE} cannot be read ({error}); "
            "run `agent train` to make the model again"
        ) from error
    if len(vectors) != len(texts):
        raise ModelError(f"{folder}: {VECTORS_FILE} and {EXAMPLES_FILE} differ in length")
    return KnownExamples(texts, intents, vectors, classes, spans)


def _span(row: Sequence[Any]) -> TaggedSpan:
    start, end, label, role, group = row
    return TaggedSpan(int(start), int(end), SpanType(str(label), role, group), 1.0)
