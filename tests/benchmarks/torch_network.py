"""The yardstick: a model folder's network in torch, from text to decoded labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer

from agent.understanding.bio import decode_logits, find_units
from agent.understanding.casing import with_case
from agent.understanding.confidence import softmax
from agent.understanding.labels import load_spec
from agent.understanding.network import load_network
from agent.understanding.transitions import follow_scores

_BATCH = 32


class TorchNetwork:
    """fp32, sdpa, inference_mode, one thread; batches of like length, as ours."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        self._spec = load_spec(folder)
        self._follows = follow_scores(self._spec.transitions)
        self._network = load_network(folder).eval()
        self._network.encoder.set_attn_implementation("sdpa")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(self._spec.max_tokens)

    def understand(self, texts: Sequence[str]) -> list[Any]:
        """Each text's intent probabilities and spans."""
        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
        results: list[Any] = [None] * len(texts)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            intents, tags = self._forward([self._ids(texts[i], encodings[i]) for i in rows])
            for place, i in enumerate(rows):
                units = find_units(texts[i], encodings[i].offsets)
                spans = decode_logits(units, tags[place], self._spec.span_types, self._follows)
                results[i] = (softmax(intents[place], self._spec.temperature("intent")), spans)
        return results

    def best(self, texts: Sequence[str]) -> list[str]:
        """The best intent of each text."""
        return [self._spec.intents[int(p.argmax())] for p, _ in self.understand(texts)]

    def _ids(self, text: str, encoding: Encoding) -> Sequence[int]:
        ids: list[int] = encoding.ids
        return with_case(text, ids, encoding.offsets) if self._spec.casing else ids

    def _forward(self, numbers: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        width = max(map(len, numbers))
        ids = np.zeros((len(numbers), width), dtype=np.int64)  # (B, T)
        mask = np.zeros_like(ids)
        for row, own in enumerate(numbers):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        with torch.inference_mode():
            output = self._network(torch.from_numpy(ids), torch.from_numpy(mask))
        return output.intent_logits.numpy(), output.entity_logits.numpy()
