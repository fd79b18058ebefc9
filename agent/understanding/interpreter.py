"""Text to Understanding: payloads, the network, patterns, the correction memory, the fallback."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agent.settings import MemorySettings
from agent.turn import (
    FALLBACK_INTENT,
    Entity,
    IntentScore,
    Neighbour,
    Understanding,
)
from agent.understanding.bio import TaggedSpan
from agent.understanding.labels import Spec, Thresholds
from agent.understanding.memory import BaseExamples, CorrectionMemory
from agent.understanding.patterns import Patterns, merge, patterns_from_json
from agent.understanding.payload import read_payload
from agent.understanding.runtime import Network, NetworkOutput

EXTRACTOR = "network"
_NEAREST = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an intent won: each word's share in [-1, 1] and the nearest training examples.

    A word's weight is how much the intent's probability falls when the word is left out.
    """

    intent: str | None
    tokens: tuple[tuple[str, float], ...] = ()
    nearest: tuple[Neighbour, ...] = ()


@dataclass(slots=True)
class Interpreter:
    """Understands messages with one model folder and, if it has one, the correction memory."""

    network: Network
    patterns: Patterns
    model_version: str | None = None
    memory: CorrectionMemory | None = None

    @classmethod
    def load(cls, folder: Path, *, memory: MemorySettings | None = None, threads: int = 1) -> Self:
        """Load a model folder; with `memory` settings, an empty correction memory beside it.

        Raises:
            ModelError: the folder cannot be used.
        """
        network = Network.load(folder, threads=threads)
        remembered = None
        if memory is not None and memory.enabled:
            examples = network.examples
            remembered = CorrectionMemory(
                encode=network.encode,
                base=BaseExamples(examples.vectors, examples.intents),
                min_similarity=memory.min_similarity,
                max_weight=memory.max_weight,
            )
        patterns = patterns_from_json(network.spec.patterns)
        return cls(network, patterns, folder.name, remembered)

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

        `/intent{…}` payloads bypass the network; a text without any letter, digit or symbol
        gets an empty ranking.
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
        """Why this text gets its intent: occlusion by word, and the nearest examples."""
        if self._without_network(text) is not None:
            return Explanation(None)
        spans = self.network.words(text)
        variants = [text[:start] + text[end:] for start, end in spans]
        base, *others = self.network.run([text, *variants])
        if not len(base.intents):
            return Explanation(None, (), self.nearest(base.pooled))
        best = int(base.intents.argmax())
        falls = [float(base.intents[best] - other.intents[best]) for other in others]
        words = [text[start:end] for start, end in spans]
        tokens = tuple(zip(words, falls, strict=True))
        return Explanation(self.intents[best], tokens, self.nearest(base.pooled))

    def nearest(self, vector: NDArray[np.float32], limit: int = _NEAREST) -> tuple[Neighbour, ...]:
        """The training examples most similar to a unit vector (H,), best first."""
        examples = self.network.examples
        if not examples.texts:
            return ()
        cosines = examples.vectors @ vector
        rows = np.argsort(-cosines)[:limit]
        return tuple(
            Neighbour("", examples.texts[i], str(examples.intents[i]) or None, float(cosines[i]))
            for i in rows
        )

    def _without_network(self, text: str) -> Understanding | None:
        if not text.strip():
            return Understanding(text=text, model_version=self.model_version, in_scope=0.0)
        payload = read_payload(text)
        if payload is None:
            return None
        return replace(payload, model_version=self.model_version)

    def _read(self, text: str, output: NetworkOutput) -> Understanding:
        spec = self.network.spec
        entities = merge([_entity(text, s) for s in output.spans], self.patterns.find(text))
        understanding = Understanding(
            text=text,
            ranking=_rank(spec.intents, output.intents),
            entities=tuple(self.patterns.normalize(entities)),
            in_scope=output.in_scope,
            model_version=self.model_version,
            responses=_rank_responses(spec.responses, output.responses),
            heads={name: _rank(spec.heads[name], p) for name, p in output.heads.items()},
        )
        if self.memory is not None:
            understanding = self.memory.adjust(understanding, output.pooled)
        return with_fallback(understanding, spec.thresholds)


def with_fallback(understanding: Understanding, thresholds: Thresholds) -> Understanding:
    """The understanding with `nlu_fallback` ahead where the message is not sure enough.

    A project's FallbackClassifier decides by its own thresholds on the best confidence and its
    lead; where there is none, a message below the model's `in_scope` threshold falls back.
    """
    ranking = understanding.ranking
    if not ranking or ranking[0].intent == FALLBACK_INTENT:
        return understanding
    best = ranking[0].confidence
    if thresholds.fallback is not None:
        lead = best - (ranking[1].confidence if len(ranking) > 1 else 0.0)
        limit = thresholds.fallback_ambiguity
        unsure = best < thresholds.fallback or (limit is not None and lead < limit)
        confidence = 1.0 - best
    else:
        unsure = understanding.in_scope < thresholds.in_scope
        confidence = 1.0 - understanding.in_scope
    if not unsure:
        return understanding
    return replace(understanding, ranking=(IntentScore(FALLBACK_INTENT, confidence), *ranking))


def _rank(labels: Sequence[str], probabilities: NDArray[np.float32]) -> tuple[IntentScore, ...]:
    order = np.argsort(-probabilities, kind="stable")
    return tuple(IntentScore(labels[i], float(probabilities[i])) for i in order)


def _rank_responses(
    keys: Sequence[str], probabilities: NDArray[np.float32]
) -> dict[str, tuple[IntentScore, ...]]:
    """All response keys under `default`, and each retrieval intent's own, renormalized."""
    if not len(probabilities):
        return {}
    ranked = _rank(keys, probabilities)
    result = {"default": ranked}
    for intent in sorted({key.partition("/")[0] for key in keys}):
        own = [score for score in ranked if score.intent.partition("/")[0] == intent]
        total = sum(score.confidence for score in own) or 1.0
        result[intent] = tuple(IntentScore(s.intent, s.confidence / total) for s in own)
    return result


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
