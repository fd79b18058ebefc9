"""Classification without an example by a masked language model: a template and a verbalizer.

Source: Schick and Schuetze 2021, "Exploiting Cloze Questions for Few Shot Text Classification"
(patterns and verbalizers), with the labels' prior taken off as in Zhao et al. 2021, "Calibrate
Before Use".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForMaskedLM, AutoTokenizer

from knowledge.encoder_source import source_folder
from knowledge.errors import InputError

Floats = NDArray[np.float32]

MASK, TEXT = "[MASK]", "{text}"
_BATCH = 16
# What transformers raises for a folder that holds no model it knows.
_UNLOADABLE = (OSError, ValueError, KeyError, ImportError, RuntimeError)


@dataclass(frozen=True, slots=True)
class MaskedPrompt:
    """A template such as `{text} It is about [MASK].` and the words that stand for each label."""

    model: Any
    tokenizer: Any
    template: str
    words: Mapping[str, tuple[int, ...]]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return tuple(self.words)

    def classify(self, texts: Sequence[str]) -> Floats:
        """Each label's probability for each text (n, C), rows sum to 1."""
        scores = self._scores(texts) - self._scores([""])
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        result: Floats = exponents / exponents.sum(axis=1, keepdims=True)
        return result

    def _scores(self, texts: Sequence[str]) -> Floats:
        """The log of the mean probability of a label's words at the mask (n, C)."""
        rows = []
        for start in range(0, len(texts), _BATCH):
            filled = [self._fill(text) for text in texts[start : start + _BATCH]]
            given = self.tokenizer(filled, return_tensors="pt", padding=True)
            with torch.inference_mode():
                logits = self.model(**given).logits  # (B, T, V)
            at = (given["input_ids"] == self.tokenizer.mask_token_id).int().argmax(dim=1)  # (B,)
            at_mask = logits[torch.arange(len(filled)), at].float().softmax(dim=-1)  # (B, V)
            rows.append(
                torch.stack([at_mask[:, list(ids)].mean(dim=1) for ids in self.words.values()], 1)
            )
        result: Floats = np.log(np.maximum(torch.cat(rows).numpy(), 1e-12))
        return result

    def _fill(self, text: str) -> str:
        """The template with as much of the text as the model reads, less its special tokens."""
        for special in self.tokenizer.all_special_tokens:
            text = text.replace(special, " ")
        frame = self.template.replace(MASK, self.tokenizer.mask_token)
        longest = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)
        left = max(longest - len(self.tokenizer(frame.replace(TEXT, "")).input_ids) - 2, 1)
        read = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets = read["offset_mapping"][:left]
        return frame.replace(TEXT, text[: offsets[-1][1]] if offsets else "")


def load_prompt(
    encoder: str, template: str, verbalizer: Mapping[str, Sequence[str]]
) -> MaskedPrompt:
    """A prompt on a masked language model, by Hugging Face name or local path.

    Args:
        encoder: a model with a masked-language head.
        template: text with one `{text}` and one `[MASK]`.
        verbalizer: for each label the words that may stand at the mask.

    Raises:
        InputError: no such head, a template without its parts, a label none of whose words is
            one token of the model.
    """
    for part in (TEXT, MASK):
        if template.count(part) != 1:
            raise InputError(f"the template {template!r} needs {part} once")
    if len(verbalizer) < 2:
        raise InputError("a prompt tells labels apart: give two or more")
    folder = source_folder(encoder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model, info = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    except _UNLOADABLE as error:
        raise InputError(f"is no masked language model ({error})", path=folder) from error
    if info["missing_keys"] or tokenizer.mask_token is None:
        raise InputError("has no head for [MASK]; take a masked language model", path=folder)
    words = {label: _token_ids(tokenizer, label, given) for label, given in verbalizer.items()}
    return MaskedPrompt(model.eval(), tokenizer, template, words)


def _token_ids(tokenizer: Any, label: str, words: Sequence[str]) -> tuple[int, ...]:
    """The ids of the words that are one token, after a space or at the start."""
    found = set()
    for word in words:
        for spelling in (word, f" {word}"):
            ids = tokenizer(spelling, add_special_tokens=False).input_ids
            if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
                found.add(ids[0])
    if not found:
        listed = ", ".join(words) or "none"
        raise InputError(f"no word of label {label!r} ({listed}) is one token of the model")
    return tuple(sorted(found))
