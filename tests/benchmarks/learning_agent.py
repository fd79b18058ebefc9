"""A small assistant for the learning benchmark: a logistic head, the memory, the real gate."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from agent.feedback.correction import Correction, Prediction
from agent.feedback.feed import memory_entry
from agent.project.types import Example, NluData
from agent.turn import IntentScore, Understanding
from agent.understanding.confidence import softmax
from agent.understanding.memory import BaseExamples, CorrectionMemory
from tests.benchmarks.learning_data import Floats, Messages
from training.curate import Curated, curate
from training.doubt import Known, doubtful_among
from training.fitted import balance_of
from training.frozen.linear import Linear, fit_linear
from training.promote import Evidence, Verdict, judge

_RANKED = 20


@dataclass(frozen=True, slots=True)
class Head:
    """A logistic regression over the frozen encoder's vectors."""

    names: tuple[str, ...]
    linear: Linear

    def chances(self, vectors: Floats) -> Floats:
        """Probabilities (n, C) of vectors (n, H)."""
        return np.asarray(softmax(self.linear.logits(vectors)), dtype=np.float32)

    def predict(self, vectors: Floats) -> list[str]:
        """The best intent of each vector."""
        return [self.names[i] for i in self.linear.logits(vectors).argmax(axis=1)]

    def right(self, messages: Messages) -> list[bool]:
        """Message by message, whether the best intent is the gold one."""
        pairs = zip(self.predict(messages.vectors), messages.intents, strict=True)
        return [found == gold for found, gold in pairs]


def fit(messages: Messages, weights: Sequence[float] | None = None) -> Head:
    """The head that fits labelled messages best, balanced as method `head` does it."""
    names = tuple(sorted(set(messages.intents)))
    number = {name: i for i, name in enumerate(names)}
    targets = np.array([number[name] for name in messages.intents], dtype=np.int64)
    examples = [Example(t, i) for t, i in zip(messages.texts, messages.intents, strict=True)]
    given = balance_of(examples) * (1.0 if weights is None else np.array(weights, np.float32))
    with threadpool_limits(limits=1, user_api="blas"):
        return Head(names, fit_linear(messages.vectors, targets, len(names), weights=given))


@dataclass(slots=True)
class Assistant:
    """Answers messages with a head and (perhaps) a correction memory; learns from a reviewer."""

    base: Messages
    vectors: Mapping[str, Floats]
    use_memory: bool = True
    corrections: list[Correction] = field(default_factory=list)
    head: Head = field(init=False)
    memory: CorrectionMemory = field(init=False)
    retired: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.head = fit(self.base)
        self.memory = self._new_memory()

    def understand(self, text: str, *, memory: CorrectionMemory | None = None) -> Understanding:
        """What a message means."""
        vector = self.vectors[text]
        chances = self.head.chances(vector[None])[0]
        order = np.argsort(-chances)[:_RANKED]
        ranking = tuple(IntentScore(self.head.names[i], float(chances[i])) for i in order)
        found = Understanding(text, ranking)
        used = self.memory if memory is None else memory
        return used.adjust(found, vector) if self.use_memory else found

    def intent(self, text: str) -> str:
        """The best intent of a message."""
        best = self.understand(text).intent
        return best.intent if best else ""

    def correct(self, text: str, intent: str, author: str = "reviewer") -> Correction:
        """Take a reviewer's correction; it counts at once."""
        best = self.understand(text).ranking[0]
        made = Correction(
            text,
            "intent",
            author,
            id=f"c{len(self.corrections):06d}",
            intent=intent,
            predicted=Prediction(best.intent, best.confidence),
            trust="reviewer",
            state="accepted",
            source="ops",
        )
        self.corrections.append(made)
        self.memory.add(memory_entry(made))
        return made

    def learn(
        self, frozen: Messages, drawn: Messages, *, find_doubtful: bool = False
    ) -> tuple[Verdict, Curated]:
        """One learning cycle: curate, train a challenger, judge, promote or keep."""
        curated = self.curated(find_doubtful=find_doubtful)
        challenger = self.challenger(curated)
        champion, learned_before = self.head, self._learned(self.head, curated)
        learned = self._learned(challenger, curated)
        verdict = judge(
            self._evidence(champion, curated, frozen, drawn, learned_before),
            self._evidence(challenger, curated, frozen, drawn, learned),
            tolerance=0.005,
        )
        if verdict.decision == "promoted":
            self.head, self.retired = challenger, learned
            self.memory = self._new_memory()
            for one in self.corrections:
                if one.id not in self.retired:
                    self.memory.add(memory_entry(one))
        return verdict, curated

    def curated(self, *, find_doubtful: bool = False, held_out: float = 0.2) -> Curated:
        """The corrections as examples, doubtful ones left out if that is asked for."""
        found = curate(self.corrections, NluData(), held_out=held_out)
        if not find_doubtful:
            return found
        known = Known(self.base.vectors, self.base.intents)
        judged = (*found.examples, *found.held_out)
        doubtful = doubtful_among(found.corrections, judged, known, self.encode)
        return curate(self.corrections, NluData(), held_out=held_out, doubtful=doubtful)

    def challenger(self, curated: Curated) -> Head:
        """A head of the base data and the corrections' examples."""
        pairs = zip(self.base.texts, self.base.intents, strict=True)
        mixed = curated.mixed_with(NluData(tuple(Example(text, intent) for text, intent in pairs)))
        return fit(self.messages(mixed.examples), [e.weight for e in mixed.examples])

    def messages(self, examples: Sequence[Example]) -> Messages:
        """Examples as messages."""
        texts = tuple(e.text for e in examples)
        return Messages(texts, tuple(str(e.intent) for e in examples), self.encode(texts))

    def encode(self, texts: Sequence[str]) -> Floats:
        """The vectors (n, H) of texts."""
        if not texts:
            return np.zeros((0, self.base.vectors.shape[1]), np.float32)
        return np.stack([self.vectors[text] for text in texts])

    def _new_memory(self) -> CorrectionMemory:
        base = BaseExamples(self.base.vectors, np.array(self.base.intents))
        return CorrectionMemory(encode=self.encode, base=base)

    def _learned(self, head: Head, curated: Curated) -> set[str]:
        """The corrections that a head gets right by itself."""
        examples = curated.all
        hits = head.right(self.messages(examples))
        names = [e.source.removeprefix("correction:") for e in examples]
        return {name for name, hit in zip(names, hits, strict=True) if hit}

    def _evidence(
        self,
        head: Head,
        curated: Curated,
        frozen: Messages,
        drawn: Messages,
        learned: Collection[str],
    ) -> Evidence:
        memory = self._new_memory()
        for one in curated.taught():
            if one.id not in learned:
                memory.add(memory_entry(one))
        other = Assistant.__new__(Assistant)
        other.base, other.vectors, other.use_memory = self.base, self.vectors, self.use_memory
        other.head, other.memory = head, memory

        def hits(messages: Messages) -> list[bool]:
            pairs = zip(messages.texts, messages.intents, strict=True)
            return [other.intent(text) == gold for text, gold in pairs]

        return Evidence(
            frozen=hits(frozen),
            intents=frozen.intents,
            drawn=hits(drawn),
            held_out=hits(self.messages(curated.held_out)),
            taught=head.right(self.messages(curated.examples)),
        )
