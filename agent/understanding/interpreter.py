"""Text to Understanding: payloads, the network, patterns, the correction memory, the fallback."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agent.feedback.names import NO_NAMES, NameLabels
from agent.project.values_config import ValuesConfig
from agent.settings import MemorySettings
from agent.turn import (
    FALLBACK_INTENT,
    Entity,
    IntentScore,
    Neighbour,
    Understanding,
)
from agent.understanding.bio import TaggedSpan
from agent.understanding.confidence import sharpen
from agent.understanding.engine import Device
from agent.understanding.explain import NEAREST, Explanation, explain, find_nearest
from agent.understanding.known import KnownTexts
from agent.understanding.labels import Spec, Thresholds, intent_of
from agent.understanding.memory import BaseExamples, CorrectionMemory, with_intent
from agent.understanding.patterns import Patterns, merge, patterns_from_json
from agent.understanding.payload import EXTERNAL_PREFIX, read_payload
from agent.understanding.runtime import Network, NetworkOutput
from agent.understanding.values import Values, open_values

EXTRACTOR = "network"
# How sure a message is that stands word for word in the training data, whatever else is seen in it.
_VERBATIM = 0.95
NOTHING_KNOWN = KnownTexts()


@dataclass(slots=True)
class Interpreter:
    """Understands messages with one model folder and, if it has one, the correction memory.

    `declared` are the intents that a payload may name beside the model's and the corrections':
    the domain's. Without them a payload may name any.
    """

    network: Network
    patterns: Patterns
    model_version: str | None = None
    memory: CorrectionMemory | None = None
    values: Values | None = None
    known: KnownTexts = NOTHING_KNOWN
    names: NameLabels = NO_NAMES
    declared: frozenset[str] | None = None

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        memory: MemorySettings | None = None,
        device: Device = "cpu",
        threads: int = 1,
        names: NameLabels = NO_NAMES,
        declared: frozenset[str] | None = None,
    ) -> Self:
        """Load a model folder; with `memory` settings, an empty correction memory beside it.

        `names` are the entities that are names of people, which corrections hold masked;
        `declared` the intents that payloads may name.

        Raises:
            ModelError: the folder cannot be used.
        """
        network = Network.load(folder, device=device, threads=threads)
        remembered = None
        if memory is not None and memory.enabled:
            examples = network.examples
            remembered = CorrectionMemory(
                encode=network.encode,
                base=BaseExamples(examples.vectors, examples.intents),
                min_similarity=memory.min_similarity,
                max_weight=memory.max_weight,
                names=names,
            )
        patterns = patterns_from_json(network.spec.patterns)
        asked = network.spec.patterns.get("values")
        values = None if asked is None else open_values(ValuesConfig.from_json(asked))
        known = KnownTexts.of(network.examples, network.spec.classes)
        return cls(network, patterns, folder.name, remembered, values, known, names, declared)

    @property
    def spec(self) -> Spec:
        """The model's labels and thresholds."""
        return self.network.spec

    @property
    def intents(self) -> tuple[str, ...]:
        """The intents that the model ranks."""
        return self.network.spec.intents

    def understand(self, texts: Sequence[str]) -> list[Understanding]:
        """Understand messages; the results stand in the order given.

        `/intent{…}` payloads of known intents bypass the network; a text without any letter,
        digit or symbol gets an empty ranking.
        """
        results: list[Understanding | None] = [self._without_network(text) for text in texts]
        rest = [i for i, result in enumerate(results) if result is None]
        if rest:
            outputs = self.network.run([texts[i] for i in rest])
            for i, output in zip(rest, outputs, strict=True):
                results[i] = self._read(texts[i], output)
        return [result for result in results if result is not None]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, H) of texts, the network's pooled states."""
        return self.network.encode(texts)

    def explain(self, text: str) -> Explanation:
        """Why this text gets its intent: the words that carry it, and the nearest examples."""
        if self._without_network(text) is not None:
            return Explanation(None)
        return explain(self.network, text)

    def nearest(self, vector: NDArray[np.float32], limit: int = NEAREST) -> tuple[Neighbour, ...]:
        """The training examples most similar to a unit vector (H,), best first."""
        return find_nearest(self.network, vector, limit)

    def _without_network(self, text: str) -> Understanding | None:
        if not _says_something(text):
            return Understanding(text=text, model_version=self.model_version, in_scope=0.0)
        payload = read_payload(text)
        if payload is None or not self._may_name(payload):
            return None
        return replace(payload, model_version=self.model_version)

    def _may_name(self, payload: Understanding) -> bool:
        """Whether a payload's intent is one that is known; as in Rasa, else it is mere text."""
        if self.declared is None or payload.text.startswith(EXTERNAL_PREFIX):
            return True
        name = payload.ranking[0].intent
        known = name in self.declared or name in self.intents
        return known or (self.memory is not None and self.memory.gives(name))

    def _read(self, text: str, output: NetworkOutput) -> Understanding:
        spec = self.network.spec
        spans = self.known.spans_of(text, output.spans)
        entities = merge([_entity(text, s) for s in spans], self.patterns.find(text))
        understanding = Understanding(
            text=text,
            ranking=_rank(spec.intents, output.intents),
            entities=tuple(self.patterns.normalize(entities)),
            in_scope=output.in_scope,
            model_version=self.model_version,
            responses=_rank_responses(spec, output.classes),
            heads={name: _rank(spec.heads[name], p) for name, p in output.heads.items()},
        )
        known = self.known.class_of(text)
        if known is not None:
            sure = max(output.in_scope, _VERBATIM)
            understanding = replace(with_intent(understanding, known, _VERBATIM), in_scope=sure)
        if self.memory is not None:
            understanding = self.memory.adjust(understanding, output.pooled)
        if self.values is not None:
            # After the memory: what "tomorrow" was when it was corrected is of no use today.
            found = self.patterns.normalize(self.values.find(text))
            joined = self.values.join(understanding.entities, found)
            understanding = replace(understanding, entities=tuple(joined))
        return with_fallback(understanding, spec.thresholds)


def with_fallback(understanding: Understanding, thresholds: Thresholds) -> Understanding:
    """The understanding with `nlu_fallback` ahead where the message is not sure enough.

    A project's FallbackClassifier decides by its own thresholds on the best confidence and its
    lead; where there is none, a message below the model's `in_scope` threshold falls back, in
    a project that expects it (`scope_decides`).
    """
    ranking = understanding.ranking
    if not ranking or ranking[0].intent == FALLBACK_INTENT:
        return understanding
    likely = understanding.in_scope >= thresholds.in_scope
    if thresholds.fallback is not None and thresholds.sharpness != 1.0 and likely:
        ranking = _sharpened(ranking, thresholds.sharpness)
        understanding = replace(understanding, ranking=ranking)
    best = ranking[0].confidence
    if thresholds.fallback is not None:
        lead = best - (ranking[1].confidence if len(ranking) > 1 else 0.0)
        limit = thresholds.fallback_ambiguity
        unsure = best < thresholds.fallback or (limit is not None and lead < limit)
        confidence = 1.0 - best
    else:
        unsure = thresholds.scope_decides and understanding.in_scope < thresholds.in_scope
        confidence = 1.0 - understanding.in_scope
    if not unsure:
        return understanding
    return replace(understanding, ranking=(IntentScore(FALLBACK_INTENT, confidence), *ranking))


def _sharpened(ranking: Sequence[IntentScore], sharpness: float) -> tuple[IntentScore, ...]:
    scores = sharpen(np.array([score.confidence for score in ranking], np.float32), sharpness)
    return tuple(IntentScore(s.intent, c) for s, c in zip(ranking, scores.tolist(), strict=True))


def _says_something(text: str) -> bool:
    """Whether a text has a letter, a digit, an emoji or another symbol (Unicode L, N, S)."""
    return any(unicodedata.category(char)[0] in "LNS" for char in text)


def _rank(labels: Sequence[str], probabilities: NDArray[np.float32]) -> tuple[IntentScore, ...]:
    order = np.argsort(-probabilities, kind="stable").tolist()
    values = probabilities.tolist()
    return tuple([IntentScore(labels[i], values[i]) for i in order])


def _rank_responses(
    spec: Spec, probabilities: NDArray[np.float32]
) -> dict[str, tuple[IntentScore, ...]]:
    """All response keys under `default`, and each retrieval intent's own; both sum up to 1.

    How sure a key is among everything that may be meant is this times its intent's confidence.
    """
    ranked: dict[str, tuple[IntentScore, ...]] = {}
    for name, (keys, places) in _selectors(spec.classes, spec.responses).items():
        own = probabilities[places]
        ranked[name] = _rank(keys, own / (own.sum() or 1.0))
    return ranked


@lru_cache(maxsize=8)
def _selectors(
    classes: tuple[str, ...], responses: tuple[str, ...]
) -> dict[str, tuple[tuple[str, ...], NDArray[np.int64]]]:
    """Each selector's response keys and their places among the classes."""
    known = frozenset(responses)
    places = [i for i, name in enumerate(classes) if name in known]
    groups = {"default": places} if places else {}
    for intent in sorted({intent_of(key) for key in responses}):
        groups[intent] = [i for i in places if intent_of(classes[i]) == intent]
    return {
        name: (tuple(classes[i] for i in own), np.array(own, dtype=np.int64))
        for name, own in groups.items()
    }


def _entity(text: str, span: TaggedSpan) -> Entity:
    words = text[span.start : span.end]
    return Entity(
        label=span.kind.label,
        start=span.start,
        end=span.end,
        text=words,
        value=words,
        role=span.kind.role,
        group=span.kind.group,
        confidence=span.confidence,
        extractor=EXTRACTOR,
    )
