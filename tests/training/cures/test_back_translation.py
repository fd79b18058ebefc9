"""Examples as they come back from another language."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import transformers

from agent.project.types import Example
from tests.training.tiny import annotated, make_encoder
from training.cures.back_translation import BackTranslator, back_translated
from training.errors import InputError
from training.options import silent

RETURNED = {
    "where is my card": "where does my card stay",
    "hello": "Hello",
    "book a table in paris": "reserve a table in paris",
    "send it to anna": "send it to Anne",
}


def translate(texts: Sequence[str]) -> list[str]:
    return [RETURNED[text] for text in texts]


def test_what_comes_back_in_other_words_keeps_its_labels() -> None:
    rows = [
        Example("where is my card", "card"),
        Example("hello", "greet"),
        annotated("book", "book a table in [paris]", "city"),
        annotated("send", "send it to [anna]", "payee"),
    ]
    found = back_translated(rows, translate, 0.5)
    assert [(e.text, e.intent, e.weight) for e in found] == [
        ("where does my card stay", "card", 0.5),
        ("reserve a table in paris", "book", 0.5),
    ]
    (span,) = found[1].entities
    assert found[1].text[span.start : span.end] == "paris"


def test_a_model_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no translation model"):
        BackTranslator(str(tmp_path), str(tmp_path), silent)


def test_every_text_comes_back_through_both_models(tmp_path: Path) -> None:
    make_encoder(tmp_path)  # for its tokenizer
    sizes = dict.fromkeys(("encoder_layers", "decoder_layers"), 1)
    sizes |= dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
    sizes |= dict.fromkeys(("d_model", "encoder_ffn_dim", "decoder_ffn_dim"), 32)
    places = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 2}
    config = transformers.BartConfig(vocab_size=200, forced_eos_token_id=3, **sizes, **places)
    transformers.BartForConditionalGeneration(config).save_pretrained(tmp_path)
    told: list[float] = []
    back = BackTranslator(str(tmp_path), str(tmp_path), lambda done, _text: told.append(done))
    assert len(back(["hello there", "book a table"] * 20)) == 40
    assert told == [0.8, 1.0]
