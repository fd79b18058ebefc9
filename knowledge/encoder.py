"""Texts to unit-length vectors on ONNX Runtime; torch is never imported."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import tokenizers

from knowledge.encoder_spec import EncoderSpec
from knowledge.encoding import writable
from knowledge.errors import AgentError
from knowledge.sentences import UNSPACED_SCRIPTS
from knowledge.session import new_session

Vectors = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

# Padding included. Small batches stay in the processor's cache: 55 paragraphs a second on one
# core against 38 with 4096 tokens.
BATCH_TOKENS = 512
BATCH_TEXTS = 32
# No tokenizer makes fewer tokens than this from so many characters of real text.
CHARACTERS_PER_TOKEN = 32
UNKNOWN_TOKENS = ("[UNK]", "<unk>", "<UNK>")
# Pieces so short say little of a word's meaning.
SHORT_PIECE = 2
# Kana, Thai and Hangul.
SYLLABLES = re.compile(r"[\u3040-\u30ff\u0e00-\u0e7f\uac00-\ud7af]")


class Encoder:
    """A frozen encoder: the same text always gives (nearly) the same vector.

    `spec` says its window, dimensions and fingerprint. Safe to use from several threads.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: tokenizers.Tokenizer,
        spec: EncoderSpec,
        *,
        threads: int = 1,
    ):
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._session, self._tokenizer, self.spec = session, tokenizer, spec
        self._threads = threads
        special = tokenizer.encode("").special_tokens_mask
        self._specials = len(special)
        blank = tokenizer.encode("a").special_tokens_mask
        unknown = (tokenizer.token_to_id(name) for name in UNKNOWN_TOKENS)
        self._unknown = {number for number in unknown if number is not None}
        self._tail = next((n for n, flag in enumerate(reversed(blank)) if not flag), 0)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> "Encoder":
        """Opens what `knowledge.convert.encoder_folder` made; raises AgentError if damaged.

        `threads` work on a batch each; 0 = one for each core.
        """
        spec = EncoderSpec.load(folder)
        try:
            tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises bare Exception
            raise AgentError(f"{folder / 'tokenizer.json'}: unreadable ({error})") from error
        # Threads that share a batch wait for one another at each of its operators.
        session = open_session(folder / "encoder.onnx", threads=1)
        return cls(session, tokenizer, spec, threads=threads or os.cpu_count() or 1)

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return self.spec.dimensions

    @property
    def max_tokens(self) -> int:
        """The window in tokens, special tokens included; the rest of a text is not seen."""
        return self.spec.max_tokens

    @property
    def text_tokens(self) -> int:
        """The window in tokens of the text itself, special tokens left out."""
        return self.spec.max_tokens - self._specials

    @property
    def fingerprint(self) -> str:
        """Vectors of encoders with equal fingerprints can be compared."""
        return self.spec.fingerprint

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of unit length, float32 (n, dimensions), in the order of `texts`."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for rows, _, pooled in self._outputs("pooled", texts):
            vectors[rows] = pooled
        return vectors

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """As `encode`, with the encoder's own prompt for questions, if it has one."""
        return self.encode([self.spec.query_prompt + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """As `encode`, with the encoder's own prompt for passages, if it has one."""
        return self.encode([self.spec.passage_prompt + text for text in texts])

    def token_states(self, texts: Sequence[str]) -> list[Vectors]:
        """The last hidden state of every token: one float32 (tokens, hidden) a text."""
        states: list[Vectors] = [np.zeros((0, 0), dtype=np.float32)] * len(texts)
        for rows, mask, batch in self._outputs("last_hidden_state", texts):  # (B, T, H)
            for row, state, length in zip(rows, batch, mask.sum(axis=1), strict=True):
                states[row] = state[:length]
        return states

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Start and end characters of each token of the whole text, special tokens left out."""
        return list(self._tokenizer.encode(writable(text), add_special_tokens=False).offsets)

    def unknown_share(self, text: str) -> float:
        """How much of a text the encoder cannot read, in [0, 1]: near 0 for its own language.

        Counts unknown tokens, and words that are spelled in pieces of one or two letters, as an
        English encoder spells Russian, and much of German.
        """
        text = writable(text[: self._limit])
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        spelled = _spelled(text, encoding.offsets)
        unread = [number in self._unknown for number in encoding.ids]
        return sum(map(max, unread, spelled)) / len(unread) if unread else 0.0

    def _outputs(self, name: str, texts: Sequence[str]) -> Iterator[tuple[list[int], Ids, Vectors]]:
        """One of the graph's outputs, batch by batch: positions in `texts`, mask, output."""

        def run(batch: tuple[list[int], Ids, Ids]) -> tuple[list[int], Ids, Vectors]:
            rows, ids, mask = batch
            feed = {"input_ids": ids, "attention_mask": mask}
            return rows, mask, self._session.run([name], feed)[0]

        batches = list(self._batches(texts))
        if self._threads == 1 or len(batches) < 2:
            yield from map(run, batches)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            yield from pool.map(run, batches)

    @property
    def _limit(self) -> int:
        return self.max_tokens * CHARACTERS_PER_TOKEN

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Ids, Ids]]:
        """Rows of similar length together: their positions in `texts`, ids and mask (B, T)."""
        encoded = self._token_ids(texts)
        order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
        start = 0
        while start < len(order):
            end = self._batch_end([len(encoded[row]) for row in order[start : start + BATCH_TEXTS]])
            rows = order[start : start + end]
            start += end
            width = len(encoded[rows[-1]])
            ids = np.full((len(rows), width), self.spec.pad_id, dtype=np.int64)  # (B, T)
            mask = np.zeros((len(rows), width), dtype=np.int64)
            for place, row in enumerate(rows):
                ids[place, : len(encoded[row])] = encoded[row]
                mask[place, : len(encoded[row])] = 1
            yield rows, ids, mask

    def _batch_end(self, lengths: Sequence[int]) -> int:
        """How many rows of ascending `lengths` fit into one batch; at least one."""
        count = 1
        while count < len(lengths) and lengths[count] * (count + 1) <= BATCH_TOKENS:
            count += 1
        return count

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        shortened = [writable(text[: self._limit]) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(shortened)
        return [self._shorten(encoding.ids) or [self.spec.pad_id] for encoding in encodings]

    def _shorten(self, ids: list[int]) -> list[int]:
        """Cuts to the window, keeping the special tokens at the end."""
        if len(ids) <= self.max_tokens:
            return ids
        return ids[: self.max_tokens - self._tail] + ids[len(ids) - self._tail :]


def _spelled(text: str, offsets: Sequence[tuple[int, int]]) -> list[bool]:
    """Which tokens are pieces of one or two letters of a longer word.

    Where a letter is a syllable (kana, Thai, Hangul), single letters one after the other. An
    ideograph is a word.
    """
    single = [end - start == 1 and bool(SYLLABLES.match(text[start:end])) for start, end in offsets]
    return [
        any(single[max(0, place - 1) : place] + single[place + 1 : place + 2])
        if single[place]
        else _is_piece(text, start, end)
        for place, (start, end) in enumerate(offsets)
    ]


def _is_piece(text: str, start: int, end: int) -> bool:
    piece = text[start:end]
    if len(piece) > 2 * SHORT_PIECE or UNSPACED_SCRIPTS.match(piece):
        return False
    beside = text[max(0, start - 1) : start] + text[end : end + 1]
    if not any(_kind(letter) in "LM" for letter in beside):
        return False
    kinds = [_kind(letter) for letter in piece]
    # Marks upon letters, as Hindi has them, are no letters of their own.
    return kinds.count("L") <= SHORT_PIECE and set(kinds) <= {"L", "M"}


def _kind(letter: str) -> str:
    """The first letter of its Unicode category: L for letters, M for marks upon them."""
    return unicodedata.category(letter)[0]


def open_session(path: Path, *, threads: int = 1) -> Any:
    """An ONNX Runtime session on the CPU with all graph optimizations.

    Raises AgentError when the file is missing or damaged.
    """
    try:
        return new_session(path, threads=threads)
    except Exception as error:  # the library has no common base class
        raise AgentError(f"{path}: not a readable ONNX model ({error})") from error
