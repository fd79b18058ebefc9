"""The correction memory: what reviewers put right counts on the next message, before training."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from agent.feedback.masking import Masked, mask
from agent.feedback.names import NO_NAMES, PLACEHOLDER, NameLabels, mask_message
from agent.turn import Entity, IntentScore, Neighbour, Understanding

Vectors = npt.NDArray[np.float32]

# How likely it is that a correction's intent is also the message's: the logistic regression of
# "same intent" on the lead in similarity and the model's own probabilities, fitted on messages of
# BANKING77's and CLINC150's training parts near a correction of another message (5,991 pairs).
# The bias asks for 0.6, not 0.5: it is worse to break what was right than to miss a paraphrase.
_LEAD, _DOUBT, _BELIEF, _BIAS = 11.5, -0.6, 0.9, 0.3
# What a model that has never seen an intent would give it; it cannot rule it out.
_UNSEEN = 0.25
_LEAST = 1e-4
# An answer ("to this, say that") is given to a paraphrase only from this similarity on.
_ANSWER_SIMILARITY = 0.9
_FOLDED = re.compile(r"[\W_]+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class MemoryEntry:
    """An accepted correction as the memory keeps it; `intent` None corrects no intent.

    What the model knows by itself is `retired`: it does nothing but overrule older ones.
    """

    correction_id: str
    text: str
    intent: str | None = None
    entities: tuple[Entity, ...] | None = None
    answer: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    retired: bool = False


@dataclass(frozen=True, slots=True)
class BaseExamples:
    """The training examples' unit vectors (n, H) and their n intents."""

    vectors: Vectors
    intents: npt.NDArray[np.str_]


def fold(text: str) -> str:
    """The form in which two texts count as the same: NFKC, case, punctuation and spaces folded.

    Personal data are not masked here; `CorrectionMemory` masks both sides first, because
    corrections are stored masked.

    >>> fold("  Where's my CARD?? ") == fold("wheres my card")
    False
    >>> fold("Block my card!") == fold("block  my card")
    True
    """
    normalized = unicodedata.normalize("NFKC", text).casefold()
    # A text of symbols alone (an emoji) would fold to nothing: it stands for itself.
    return _FOLDED.sub(" ", normalized).strip() or normalized.strip()


@dataclass(slots=True)
class CorrectionMemory:
    """Accepted corrections by text and by vector.

    Args:
        encode: texts to unit vectors (n, H) of the serving network.
        base: the training examples that corrections compete with; None: no competition.
        min_similarity: cosine below which a correction has no influence.
        max_weight: largest share that neighbours take in the mixed ranking.
        names: the entities that are names of people, which corrections hold masked.
    """

    encode: Callable[[Sequence[str]], Vectors]
    base: BaseExamples | None = None
    min_similarity: float = 0.6
    max_weight: float = 0.95
    names: NameLabels = NO_NAMES
    _entries: dict[str, MemoryEntry] = field(default_factory=dict)
    _exact: dict[str, dict[str, MemoryEntry]] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    _vectors: Vectors | None = None
    _pending: list[str] = field(default_factory=list)
    _known_intents: frozenset[str] | None = None
    _placeheld: int = 0
    _active: int = 0

    def __len__(self) -> int:
        return self._active

    def __contains__(self, correction_id: object) -> bool:
        entry = self._entries.get(str(correction_id))
        return entry is not None and not entry.retired

    def gives(self, intent: str) -> bool:
        """Whether any correction, also one that a model has learned, gives this intent."""
        given = (entry.intent for entry in self._entries.values() if entry.intent is not None)
        return any(name.partition("/")[0] == intent for name in given)

    def add(self, entry: MemoryEntry) -> None:
        """Remember one correction; the same id again replaces the older one."""
        self.remove(entry.correction_id)
        self._entries[entry.correction_id] = entry
        for form in _forms_of(entry, self.names):
            self._exact.setdefault(_key(form.text), {})[entry.correction_id] = form
        self._placeheld += _has_placeholder(entry)
        if not entry.retired:
            self._active += 1
            self._pending.append(entry.correction_id)

    def extend(self, entries: Iterable[MemoryEntry]) -> None:
        """Remember several corrections, oldest first."""
        for entry in entries:
            self.add(entry)

    def remove(self, correction_id: str) -> None:
        """Forget one correction; an unknown id is no error."""
        entry = self._entries.pop(correction_id, None)
        if entry is None:
            return
        self._placeheld -= _has_placeholder(entry)
        self._active -= not entry.retired
        for form in _forms_of(entry, self.names):
            same = self._exact.get(_key(form.text), {})
            same.pop(correction_id, None)
            if not same:
                self._exact.pop(_key(form.text), None)
        if correction_id in self._pending:
            self._pending.remove(correction_id)
        elif correction_id in self._order and self._vectors is not None:
            row = self._order.index(correction_id)
            self._order.pop(row)
            self._vectors = np.delete(self._vectors, row, axis=0)

    def adjust(self, understanding: Understanding, vector: Vectors) -> Understanding:
        """The understanding with what the memory knows mixed in.

        An equal text (folded) takes the newest correction's intent, entities, labels and answer.
        Otherwise the nearest correction shares the ranking (as in kNN-LM, Khandelwal et al.
        2020, section 2) by a calibrated weight: how likely it is that it is meant, given how
        much nearer it is than the nearest base example of another intent and how the model
        sees both intents.

        Args:
            understanding: what the network made of the text.
            vector: the text's unit vector (H,).
        """
        if not self._active:
            return understanding
        forms = self._forms(understanding)
        exact = self._apply_exact(understanding, forms)
        if exact is not None:
            # A name that a correction has taught stands masked in the later ones.
            more = self._forms(exact)
            known = more.keys() <= forms.keys()
            return exact if known else self._apply_exact(understanding, forms | more) or exact
        masked = next(iter(forms.values()))
        near = vector
        if masked.spans and self._placeheld:
            near = self.encode([masked.text])[0]
        return self._apply_nearest(understanding, vector, near)

    def _forms(self, heard: Understanding) -> dict[str, Masked]:
        """The text as corrections may hold it, by its folded form: with names masked, without."""
        forms = [mask_message(heard.text, heard.entities, self.names), mask(heard.text)]
        return {_fold_masked(masked.text): masked for masked in forms}

    def _apply_exact(
        self, heard: Understanding, forms: Mapping[str, Masked]
    ) -> Understanding | None:
        """What the corrections of this very text make of it; None if there are none."""
        found = {i: entry for key in forms for i, entry in self._exact.get(key, {}).items()}
        if not found:
            return None
        if len(found) > 1 and len(forms) > 1:
            found = {i: found[i] for i in self._entries if i in found}
        return _apply_exact(heard, forms, list(found.values()))

    def nearest(self, vector: Vectors, limit: int) -> list[MemoryEntry]:
        """The corrections whose texts are most like a unit vector (H,), best first."""
        self._encode_pending()
        if self._vectors is None:
            return []
        order = np.argsort(-(self._vectors @ vector))[:limit]
        return [self._entries[self._order[row]] for row in order]

    def _apply_nearest(
        self, understanding: Understanding, vector: Vectors, masked: Vectors
    ) -> Understanding:
        """The nearest correction mixed in; both vectors (H,), `masked` that of the masked text."""
        self._encode_pending()
        if self._vectors is None:
            return understanding
        found = self._nearest_that_holds(self._vectors @ masked)
        if found is None:
            return understanding
        entry, similarity = found
        weight = self._weight(similarity, entry.intent, vector, understanding.ranking)
        seen = Neighbour(entry.correction_id, entry.text, entry.intent, similarity, False, weight)
        result = replace(understanding, neighbours=(seen,))
        if entry.answer is not None and similarity >= _ANSWER_SIMILARITY and weight > 0.5:
            result = replace(result, answer=entry.answer)
        if entry.intent is None:
            return result
        mixed = with_intent(result, entry.intent, weight)
        best_changed = mixed.intent != understanding.intent and weight > 0.5
        return replace(
            mixed,
            in_scope=max(understanding.in_scope, weight),
            source="correction" if best_changed else understanding.source,
        )

    def _nearest_that_holds(self, similarities: Vectors) -> tuple[MemoryEntry, float] | None:
        """The most similar correction that none of its text overrules; similarities (n,)."""
        while len(similarities):
            row = int(np.argmax(similarities))
            if similarities[row] < self.min_similarity:
                break
            entry = self._entries[self._order[row]]
            rest = self._not_overruled(entry)
            if rest == entry or rest.intent is not None or rest.answer is not None:
                return rest, float(similarities[row])
            similarities[row] = -np.inf
        return None

    def _not_overruled(self, entry: MemoryEntry) -> MemoryEntry:
        """What is left of a correction beside the newer ones of its text."""
        same = self._exact[_key(entry.text)]
        order = list(same)
        newer = [same[one] for one in order[order.index(entry.correction_id) + 1 :]]
        return replace(
            entry,
            intent=None if any(one.intent is not None for one in newer) else entry.intent,
            answer=None if any(one.answer is not None for one in newer) else entry.answer,
        )

    def _weight(
        self,
        similarity: float,
        intent: str | None,
        vector: Vectors,
        ranking: Sequence[IntentScore],
    ) -> float:
        """The share of a correction at this similarity, in [0, max_weight].

        Up to a half it leaves the best intent where it is.
        """
        name = (intent or "").partition("/")[0]
        shares = {score.intent: score.confidence for score in ranking}
        best = max(shares.values(), default=1.0)
        own = shares.get(name, 0.0)
        belief = own if name in self._known else max(own, _UNSEEN)
        if intent is None:
            belief = 1.0  # an answer: the model has no opinion of it
        logit = (
            _LEAD * (similarity - self._rival(name, vector))
            + _DOUBT * math.log(max(best, _LEAST))
            + _BELIEF * math.log(max(belief, _LEAST))
            + _BIAS
        )
        weight = self.max_weight / (1.0 + math.exp(-max(min(logit, 50.0), -50.0)))
        lead = max(best - own, 0.0)
        return weight if weight > 0.5 else min(weight, 0.99 * lead / (1.0 + lead))

    def _rival(self, name: str, vector: Vectors) -> float:
        """The similarity of the nearest base example of another intent, or the least asked for."""
        if self.base is None or not len(self.base.vectors):
            return self.min_similarity
        others = self.base.intents != name
        if not others.any():
            return self.min_similarity
        nearest = float((self.base.vectors @ vector)[others].max())
        return max(nearest, self.min_similarity)

    @property
    def _known(self) -> frozenset[str]:
        """The intents that the model was trained on."""
        if self._known_intents is None:
            names = () if self.base is None else self.base.intents
            self._known_intents = frozenset(str(name) for name in names)
        return self._known_intents

    def _encode_pending(self) -> None:
        if not self._pending:
            return
        vectors = self.encode([self._entries[i].text for i in self._pending])
        old = self._vectors
        self._vectors = vectors if old is None else np.concatenate([old, vectors])
        self._order += self._pending
        self._pending = []


def _key(text: str) -> str:
    return _fold_masked(mask(text).text)


def _fold_masked(text: str) -> str:
    """A masked text folded; its placeholders stay apart from words that are written alike."""
    return fold(PLACEHOLDER.sub(lambda found: f"ᐸ{found[0][1:-1]}ᐳ", text))


def _forms_of(entry: MemoryEntry, names: NameLabels) -> tuple[MemoryEntry, ...]:
    """The entry, and as it would be if the names that it marks had been found in its message."""
    found = mask_message(entry.text, entry.entities or (), names)
    if not found.spans:
        return (entry,)
    entities = []
    for entity in entry.entities or ():
        start, end = found.locate(entity.start, entity.end)
        words = found.text[start:end]
        value = words if found.touches(entity.start, entity.end) else entity.value
        entities.append(replace(entity, start=start, end=end, text=words, value=value))
    return (entry, replace(entry, text=found.text, entities=tuple(entities)))


def _has_placeholder(entry: MemoryEntry) -> bool:
    return PLACEHOLDER.search(entry.text) is not None


def _apply_exact(
    understanding: Understanding, forms: Mapping[str, Masked], entries: list[MemoryEntry]
) -> Understanding:
    """The newest correction of this very text decides; each part by the newest that has it."""
    newest = entries[::-1]
    deciding = (
        next((e for e in newest if e.intent is not None), None),
        next((e for e in newest if e.entities is not None), None),
        next((e for e in newest if e.answer is not None), None),
        next((e for e in newest if e.labels), None),
    )
    # What the newest one says of a part and the model knows by itself is left to the model.
    parts = [None if e is None or e.retired else e for e in deciding]
    intent, spans, answer, labelled = parts
    if not any(parts):
        return understanding
    used = tuple(dict.fromkeys(e.correction_id for e in parts if e is not None))
    neighbours = tuple(
        Neighbour(e.correction_id, e.text, e.intent, 1.0, True, 1.0)
        for e in newest
        if e.correction_id in used
    )
    result = replace(understanding, source="correction", in_scope=1.0, neighbours=neighbours)
    if intent is not None and intent.intent is not None:
        result = with_intent(result, intent.intent, 1.0)
    if spans is not None:
        masked = forms[_key(spans.text)]
        result = replace(result, entities=_carry_over(spans, understanding.text, masked))
    if labelled is not None:
        told = {h: (IntentScore(label, 1.0),) for h, label in labelled.labels.items()}
        result = replace(result, heads={**understanding.heads, **told})
    return result if answer is None else replace(result, answer=answer.answer)


def _carry_over(entry: MemoryEntry, text: str, masked: Masked) -> tuple[Entity, ...]:
    """The corrected spans, moved to where they stand in a text of another spelling.

    They are looked for in the masked text, as the correction was stored masked.
    """
    moved = []
    position = 0
    folded = masked.text.casefold()
    # Folding may lengthen a text (ß): offsets then hold only for the exact spelling.
    searched = folded if len(folded) == len(masked.text) else masked.text
    for entity in sorted(entry.entities or (), key=lambda e: e.start):
        start = entity.start
        if masked.text[entity.start : entity.end] != entity.text:
            start = searched.find(entity.text.casefold(), position)
        if start < 0:
            continue
        position = start + len(entity.text)
        first, last = masked.origin(start, position)
        value = text[first:last] if masked.touches(first, last) else entity.value
        moved.append(replace(entity, start=first, end=last, text=text[first:last], value=value))
    return tuple(moved)


def with_intent(understanding: Understanding, intent: str, weight: float) -> Understanding:
    """The understanding with `weight` of its mass moved to an intent, and to a `faq/key`'s key."""
    name, _, key = intent.partition("/")
    mixed = replace(understanding, ranking=_mix(understanding.ranking, name, weight))
    if not key:
        return mixed
    responses = dict(understanding.responses)
    for selector in ("default", name):
        responses[selector] = _mix(responses.get(selector, ()), intent, weight)
    return replace(mixed, responses=responses)


def _mix(ranking: Sequence[IntentScore], intent: str, weight: float) -> tuple[IntentScore, ...]:
    """The ranking with `weight` of its mass moved to `intent`, best first."""
    shares = {score.intent: score.confidence * (1.0 - weight) for score in ranking}
    shares[intent] = shares.get(intent, 0.0) + weight
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return tuple(IntentScore(name, min(share, 1.0)) for name, share in ordered)
