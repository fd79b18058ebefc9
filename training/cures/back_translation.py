"""Back-translation: examples as they come back from another language."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from agent.project.types import EntityAnnotation, Example
from agent.turn import OOS_INTENT
from training.corpus import fold
from training.errors import InputError
from training.options import Progress

SOURCE = "translation"
Translate = Callable[[Sequence[str]], Sequence[str]]
_BATCH = 32
_LONGEST = 128


def back_translated(
    examples: Sequence[Example], translate: Translate, weight: float
) -> list[Example]:
    """The examples in the words that `translate` brings back, where these differ.

    An example is left out if one of its entities does not come back as it was, exactly once.
    Source: Sennrich et al. 2016, "Improving neural machine translation models with monolingual
    data"; for augmentation Xie et al. 2020, "Unsupervised data augmentation".

    Args:
        examples: labelled messages.
        translate: texts there and back.
        weight: what each result counts in training.
    """
    known = {fold(e.text) for e in examples}
    kept = [e for e in examples if e.intent != OOS_INTENT]
    found = []
    for example, text in zip(kept, translate([e.text for e in kept]), strict=True):
        spans = [_moved(span, example.text, text) for span in example.entities]
        if fold(text) in known or not text.strip() or None in spans:
            continue
        known.add(fold(text))
        moved = tuple(span for span in spans if span is not None)
        found.append(replace(example, text=text, entities=moved, weight=weight, source=SOURCE))
    return found


def _moved(span: EntityAnnotation, text: str, other: str) -> EntityAnnotation | None:
    """A span where its words stand in another text; None unless they stand there once."""
    words = text[span.start : span.end]
    if other.count(words) != 1:
        return None
    start = other.index(words)
    return replace(span, start=start, end=start + len(words))


class BackTranslator:
    """Texts through two translation models of transformers, there and back.

    Args:
        there: a model by its name or folder (Marian, NLLB and others that need no prefix).
        back: the model of the opposite direction.
        progress: told of the share done.

    Raises:
        InputError: one cannot be loaded.
    """

    def __init__(self, there: str, back: str, progress: Progress) -> None:
        self._models = [_load(name) for name in (there, back)]
        self._progress = progress

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """Each text as it comes back."""
        result: list[str] = []
        for start in range(0, len(texts), _BATCH):
            piece = list(texts[start : start + _BATCH])
            for tokenizer, model in self._models:
                given = tokenizer(piece, return_tensors="pt", padding=True, truncation=True)
                with torch.inference_mode():
                    made = model.generate(**given.to(model.device), max_new_tokens=_LONGEST)
                piece = tokenizer.batch_decode(made, skip_special_tokens=True)
            result += piece
            self._progress(min(1.0, len(result) / len(texts)), "translating there and back")
        return result


def _load(name: str) -> tuple[AutoTokenizer, AutoModelForSeq2SeqLM]:
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForSeq2SeqLM.from_pretrained(name)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise InputError(f"{name!r} is no translation model ({reason})") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return tokenizer, model.to(device).eval()
