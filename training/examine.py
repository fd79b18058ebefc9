"""Measures a model folder for the gate: frozen tests, drawn messages, corrections, stories."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from agent.feedback.correction import Correction
from agent.feedback.feed import Learned, remember
from agent.feedback.names import NO_NAMES, NameLabels
from agent.project.types import Example, NluData
from agent.settings import MemorySettings
from agent.turn import FALLBACK_INTENT, OOS_INTENT, Understanding
from agent.understanding.interpreter import NOTHING_KNOWN, Interpreter
from training import metrics
from training.corpus import is_intent
from training.curate import Curated, correction_ids
from training.promote import Evidence

_TIMED = 50


@dataclass(frozen=True, slots=True)
class Examination:
    """A model's evidence, and the ids of the corrections that it gets wholly right by itself."""

    evidence: Evidence
    learned: frozenset[str]


def examine(
    folder: Path,
    curated: Curated,
    frozen: NluData,
    count_failed_stories: Callable[[Interpreter], int],
    *,
    memory: MemorySettings | None = None,
    names: NameLabels = NO_NAMES,
) -> Examination:
    """Measure a model folder as it would serve.

    What judges (frozen tests, drawn messages, corrections held out) is heard with the memory
    of the corrections that were trained on, less those that the model knows by itself: a
    champion is not beaten by what its memory does already, and no memory holds what is judged.

    Args:
        folder: the model folder; it need not be published yet.
        curated: the corrections; those taught are measured without a memory.
        frozen: the test split that no training ever sees.
        count_failed_stories: runs the test stories with this interpreter.
        memory: how the memory acts; None: there is none.
        names: the entities that are names of people, which corrections hold masked.
    """
    interpreter = Interpreter.load(folder, memory=memory, names=names)
    alone = replace(interpreter, memory=None)
    # What it learned is asked of the network: that a text was trained on proves nothing.
    network = replace(alone, known=NOTHING_KNOWN)
    answers = network.understand([e.text for e in curated.all])
    pairs = list(zip(curated.all, answers, strict=True))
    learned = frozenset(correction_ids([e for e, u in pairs if _wholly_right(e, u)]))
    learned -= _unlearned(network, curated.as_stored)
    _fill(interpreter, curated.taught(), dict.fromkeys(learned))
    tests = [e for e in frozen.examples if is_intent(e.intent)]
    heard = interpreter.understand([e.text for e in tests])
    evidence = Evidence(
        frozen=[_right(e, u) for e, u in zip(tests, heard, strict=True)],
        intents=[str(e.intent) for e in tests],
        drawn=_hits(interpreter, curated.drawn),
        drawn_weights=[e.weight for e in curated.drawn],
        held_out=_hits(interpreter, curated.held_out),
        taught=[_right(e, u) for e, u in pairs[: len(curated.examples)]],
        entity_f1=_entity_f1(tests, heard),
        stories_failed=count_failed_stories(alone),
        latency_ms=_latency_ms(alone, [e.text for e in tests or curated.all]),
        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )
    return Examination(evidence, learned)


def right_intent(example: Example, heard: Understanding) -> bool:
    """Whether the best intent (or retrieval key) is the example's; no threshold applies.

    A text outside every intent (`oos`) is right when it falls back.
    """
    if example.intent == OOS_INTENT:
        return bool(heard.ranking) and heard.ranking[0].intent == FALLBACK_INTENT
    ranked = [score.intent for score in heard.ranking if score.intent != FALLBACK_INTENT]
    if not ranked or ranked[0] != example.intent:
        return False
    if example.response is None:
        return True
    keys = heard.responses.get(str(example.intent), ())
    return bool(keys) and keys[0].intent == example.response


def _unlearned(network: Interpreter, stored: Mapping[str, Example]) -> set[str]:
    """The corrections, by id, whose own message is not right, though one of another name may be."""
    heard = network.understand([e.text for e in stored.values()])
    rows = zip(stored.items(), heard, strict=True)
    return {one for (one, example), u in rows if not _wholly_right(example, u)}


def _right(example: Example, heard: Understanding) -> bool:
    """Whether the intent is right, and so are the labels of further heads that the example has."""
    best = {head: scores[0].intent for head, scores in heard.heads.items() if scores}
    labelled = all(best.get(head) == label for head, label in example.labels.items())
    return right_intent(example, heard) and labelled


def _fill(interpreter: Interpreter, corrections: Sequence[Correction], learned: Learned) -> None:
    if interpreter.memory is not None:
        for correction in corrections:
            remember(interpreter.memory, correction, learned)


def _hits(interpreter: Interpreter, examples: Sequence[Example]) -> list[bool]:
    heard = interpreter.understand([e.text for e in examples])
    return [_right(e, u) for e, u in zip(examples, heard, strict=True)]


def _wholly_right(example: Example, heard: Understanding) -> bool:
    """Whether intent, entities and the fallback's silence are all as corrected."""
    fell_back = bool(heard.ranking) and heard.ranking[0].intent == FALLBACK_INTENT
    if example.intent != OOS_INTENT and fell_back:
        return False
    return _right(example, heard) and _spans(example) == _found(heard)


def _spans(example: Example) -> set[tuple[int, int, str]]:
    return {(e.start, e.end, e.label) for e in example.entities}


def _found(heard: Understanding) -> set[tuple[int, int, str]]:
    return {(e.start, e.end, e.label) for e in heard.entities}


def _entity_f1(tests: Sequence[Example], heard: Sequence[Understanding]) -> float | None:
    if not any(e.entities for e in tests):
        return None
    scores = metrics.score_entities([_spans(e) for e in tests], [_found(u) for u in heard])
    return float(scores.f1)


def _latency_ms(interpreter: Interpreter, texts: Sequence[str]) -> float:
    """The wall time of one message in milliseconds: the quicker quarter's slowest.

    Other work on the machine makes messages slower, never quicker.
    """
    taken = []
    for text in texts[:_TIMED]:
        begun = perf_counter()
        interpreter.understand([text])
        taken.append((perf_counter() - begun) * 1000)
    return sorted(taken)[len(taken) // 4] if taken else 0.0
