"""Characters that an English vocabulary lacks."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from training.features import Tokenization
from training.lent_ids import lend_ids

WORDS = ["[PAD]", "[UNK]", "a", "##b", "hello", "airport", "balance", "weather"]


@pytest.fixture
def definition() -> dict[str, Any]:
    """A small English WordPiece tokenizer as JSON."""
    model = models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]")
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return dict(json.loads(tokenizer.to_str()))


def ids(tokenization: Tokenization, text: str) -> tuple[int, ...]:
    (tokens,) = tokenization.tokenize([text])
    return tokens.ids


def test_characters_that_the_encoder_cannot_read_are_told_apart(
    definition: dict[str, Any], tmp_path: Path
) -> None:
    texts = ["你好", "再见 hello", "weather"]
    blind = Tokenization(definition, 16)
    assert ids(blind, "你好") == ids(blind, "再见") == (1, 1)
    (tmp_path / "source.json").write_text(json.dumps(definition))
    seeing = Tokenization.load(tmp_path / "source.json", 16, texts)
    # Two words are free to lend their ids: "weather" stands in the texts, "hello" is short.
    assert set(ids(seeing, "你再")) | set(ids(seeing, "好见")) == {1, 5, 6}
    assert ids(seeing, "hello weather airport") == (4, 7, 5)
    seeing.save(tmp_path / "tokenizer.json")
    assert seeing.is_saved_as(tmp_path / "tokenizer.json")
    assert not blind.is_saved_as(tmp_path / "tokenizer.json")
    again = Tokenization.load(tmp_path / "tokenizer.json", 16)
    assert [ids(again, text) for text in texts] == [ids(seeing, text) for text in texts]


def test_an_id_is_lent_once_and_stays_lent(definition: dict[str, Any]) -> None:
    first = lend_ids(definition, ["好好"])
    second = lend_ids(first, ["见"])
    vocabulary = second["model"]["vocab"]
    assert vocabulary["好"] == first["model"]["vocab"]["好"] != vocabulary["见"]


def test_texts_that_are_read_change_nothing(definition: dict[str, Any]) -> None:
    assert lend_ids(definition, ["hello a"])["model"] == definition["model"]
    assert lend_ids({"model": {"type": "BPE", "vocab": {}}}, ["好"]) == {
        "model": {"type": "BPE", "vocab": {}}
    }
