"""Training data, checked and counted: what can be learned, with what was odd about it."""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.project.types import Example, NluData, Notice
from agent.turn import FALLBACK_INTENT, OOS_INTENT
from agent.understanding.bio import check_spans, span_type
from agent.understanding.labels import SpanType
from training.descriptions import SOURCE as DESCRIPTION
from training.descriptions import description_examples
from training.errors import DataError

HOLD_OUT_SHARE = 0.1
# With fewer examples than this a label cannot spare one for the hold-out.
HOLD_OUT_MINIMUM = 5
_NOTICES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Corpus:
    """Usable examples and the labels that occur in them, each list sorted.

    `classes` is what the intent head tells apart: the intents, a retrieval intent by its
    response keys (see `class_of`). `intents` never holds `oos` or `nlu_fallback`;
    examples with `oos` stay in `examples`.
    """

    examples: tuple[Example, ...]
    intents: tuple[str, ...]
    span_types: tuple[SpanType, ...]
    responses: tuple[str, ...]
    heads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


def read_corpus(data: NluData) -> Corpus:
    """Check training data and collect its labels.

    Raises:
        DataError: no example with a text, or none with any label.
        ProjectError: overlapping or impossible entity annotations (file and line).
    """
    examples, notices = _usable(data.examples)
    for example in examples:
        check_spans(example)
    findings = (*notices, *_alone(examples), *_rare(examples), *conflicts(examples))
    examples += description_examples(examples, data.intent_metadata)
    corpus = Corpus(
        examples=tuple(examples),
        intents=_sorted_names(e.intent for e in examples if is_intent(e.intent)),
        span_types=tuple(sorted({span_type(s) for e in examples for s in e.entities}, key=_key)),
        responses=_sorted_names(e.response for e in examples),
        heads=_heads(examples),
        classes=_sorted_names(class_of(e) for e in examples if is_intent(e.intent)),
        notices=findings,
    )
    if not corpus.examples:
        raise DataError("the training data has no example with a text; add some under `nlu:`")
    if not (corpus.intents or corpus.span_types or corpus.heads):
        raise DataError("no training example has an intent, an entity or another label")
    return corpus


def read_dev(data: NluData, corpus: Corpus) -> Corpus:
    """Check dev data and keep what the training labels can express.

    An example with an intent that training does not know is left out with a notice; an
    unknown entity type or head label is taken off its example.
    """
    examples, notices = _usable(data.examples)
    for example in examples:
        check_spans(example)
    unknown = Counter(
        e.intent for e in examples if is_intent(e.intent) and e.intent not in set(corpus.intents)
    )
    notices += [
        Notice(f"dev data: {count} examples of intent {name!r}, which training lacks, left out")
        for name, count in sorted(unknown.items(), key=str)
    ]
    kept = [e for e in examples if e.intent not in unknown]
    if not kept:
        raise DataError("the dev data has no example with an intent that the training data has")
    return Corpus(
        tuple(kept),
        corpus.intents,
        corpus.span_types,
        corpus.responses,
        corpus.heads,
        corpus.classes,
        tuple(notices),
    )


def class_of(example: Example) -> str | None:
    """The class of an example: its response key where it has one, else its intent."""
    return example.response or example.intent


def is_intent(name: str | None) -> bool:
    """Whether the name is a class of the ranking: not missing, `oos` or `nlu_fallback`."""
    return name is not None and name not in (OOS_INTENT, FALLBACK_INTENT)


def fold(text: str) -> str:
    """The text as duplicates are recognized: compatibility-normalized, lower case, one space.

    >>> fold("  Ｈello\\tWORLD ")
    'hello world'
    """
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def stable_order(text: str) -> str:
    """A sort key that shuffles texts in the same way on every machine, in every run."""
    return hashlib.sha256(fold(text).encode("utf-8", "surrogatepass")).hexdigest()


def hold_out(
    examples: Sequence[Example], share: float = HOLD_OUT_SHARE
) -> tuple[list[int], list[int]]:
    """Positions to train on and positions held out, chosen within each intent by a stable hash.

    Equal texts stay on one side. A label with fewer than `HOLD_OUT_MINIMUM` different
    texts keeps them all. Descriptions are never held out.
    """
    groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for position, example in enumerate(examples):
        label = class_of(example) or ""
        if example.source != DESCRIPTION:
            groups[label][stable_order(example.text)].append(position)
    held: set[str] = set()
    for texts in groups.values():
        if len(texts) >= HOLD_OUT_MINIMUM:
            held.update(sorted(texts)[: max(1, round(share * len(texts)))])
    rest: list[int] = []
    out: list[int] = []
    for position, example in enumerate(examples):
        is_held = example.source != DESCRIPTION and stable_order(example.text) in held
        (out if is_held else rest).append(position)
    return rest, out


def folds(examples: Sequence[Example], count: int) -> list[list[int]]:
    """`count` disjoint lists of positions, each with a like share of every intent.

    Equal texts stay in one fold. Descriptions are in none.
    """
    result: list[list[int]] = [[] for _ in range(count)]
    groups: dict[str, list[int]] = defaultdict(list)
    for position, example in enumerate(examples):
        if example.source != DESCRIPTION:
            groups[stable_order(example.text)].append(position)
    dealt: Counter[str] = Counter()
    for key in sorted(groups):
        label = class_of(examples[groups[key][0]]) or ""
        result[dealt[label] % count].extend(groups[key])
        dealt[label] += 1
    return [sorted(fold_) for fold_ in result]


def conflicts(examples: Sequence[Example]) -> list[Notice]:
    """A notice for each text that stands under more than one intent."""
    seen: dict[str, dict[str, Example]] = defaultdict(dict)
    for example in examples:
        if example.intent is not None:
            seen[fold(example.text)].setdefault(example.intent, example)
    found = [by_intent for by_intent in seen.values() if len(by_intent) > 1]
    notices = [_conflict(by_intent) for by_intent in found[:_NOTICES_SHOWN]]
    if len(found) > _NOTICES_SHOWN:
        more = len(found) - _NOTICES_SHOWN
        notices.append(Notice(f"{more} more texts stand under more than one intent"))
    return notices


def _conflict(by_intent: Mapping[str, Example]) -> Notice:
    last = list(by_intent.values())[-1]
    names = ", ".join(repr(name) for name in by_intent)
    return Notice(
        f"the text {last.text[:80]!r} stands under several intents ({names}); keep one",
        place=last.place,
    )


def _usable(examples: Sequence[Example]) -> tuple[list[Example], list[Notice]]:
    kept, notices = [], []
    for example in examples:
        if not example.text.strip():
            notices.append(Notice("an example without a text is left out", place=example.place))
            continue
        # Rasa's markup may name one span several times; a tagger gives a word one label.
        spans = {(span.start, span.end): span for span in reversed(example.entities)}
        if len(spans) < len(example.entities):
            message = "words with several entities are learned with the first one"
            notices.append(Notice(message, place=example.place))
        kept.append(replace(example, entities=tuple(reversed(spans.values()))))
    return kept, notices


def _alone(examples: Sequence[Example]) -> list[Notice]:
    """A notice if there is nothing to choose between."""
    intents = {e.intent for e in examples if is_intent(e.intent)}
    if len(intents) != 1:
        return []
    return [
        Notice(
            f"{min(map(str, intents))!r} is the only intent: every message will get it; add others"
        )
    ]


def _rare(examples: Sequence[Example]) -> list[Notice]:
    counts = Counter(e.intent for e in examples if e.intent is not None and is_intent(e.intent))
    return [
        Notice(f"intent {name!r} has a single example; add more, it can hardly be learned")
        for name, count in sorted(counts.items())
        if count == 1
    ]


def _heads(examples: Sequence[Example]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        for name, label in example.labels.items():
            found[name].add(label)
    return {name: tuple(sorted(labels)) for name, labels in sorted(found.items())}


def _sorted_names(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name is not None}))


def _key(kind: SpanType) -> tuple[str, str, str]:
    return kind.label, kind.role or "", kind.group or ""
