import json
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
import transformers

from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder

pytestmark = pytest.mark.slow

WORDS = "the card is lost block my and your account 卡 丢 了 ? . !".split()  # noqa: SIM905
TEXTS = [
    "the card is lost",
    "block my account ?",
    "卡 丢 了",
    "the the the the card and your card !",
]
TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 40,
    "max_position_embeddings": 66,
}
CONFIGS = {
    "bert": transformers.BertConfig,
    "roberta": transformers.RobertaConfig,
    "xlm-roberta": transformers.XLMRobertaConfig,
    "distilbert": transformers.DistilBertConfig,
    "electra": transformers.ElectraConfig,
}


def tiny_encoder(folder: Path, family: str) -> torch.nn.Module:
    torch.manual_seed(0)
    options = dict(TINY)
    if family == "distilbert":
        options = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48, "vocab_size": 40}
        options["max_position_embeddings"] = 66
    special = {"pad_token_id": 1 if "roberta" in family else 0}
    model: torch.nn.Module = transformers.AutoModel.from_config(
        CONFIGS[family](**options, **special)
    ).eval()
    model.save_pretrained(folder)  # type: ignore[operator]
    tiny_tokenizer(special["pad_token_id"]).save_pretrained(folder)
    return model.eval()


def tiny_tokenizer(pad_id: int) -> transformers.PreTrainedTokenizerFast:
    names = ["<a>", "<b>", "<s>", "</s>", "<unk>"]
    names[pad_id] = "<pad>"
    vocabulary = {word: number for number, word in enumerate([*names, *WORDS])}
    model = tokenizers.models.WordLevel(vocabulary, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", model_max_length=64
    )


def pooled_by_torch(folder: Path, model: torch.nn.Module, pooling: str) -> np.ndarray:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        batch = tokenizer([text], return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            states = model(**batch)[0][0]
        row = {
            "mean": states.mean(0),
            "cls": states[0],
            "max": states.max(0).values,
            "last": states[-1],
        }
        rows.append(torch.nn.functional.normalize(row[pooling], dim=0).numpy())
    return np.stack(rows)


@pytest.mark.parametrize("family", list(CONFIGS))
def test_families_of_encoders_are_exported_faithfully(
    user_folder: Path, tmp_path: Path, family: str
) -> None:
    model = tiny_encoder(tmp_path, family)
    encoder = Encoder.load(encoder_folder(str(tmp_path), precision="float32"))
    np.testing.assert_allclose(
        encoder.encode(TEXTS), pooled_by_torch(tmp_path, model, "mean"), atol=1e-4
    )
    assert encoder.max_tokens == 64


@pytest.mark.parametrize("pooling", ["cls", "max", "last"])
def test_poolings_are_exported_faithfully(user_folder: Path, tmp_path: Path, pooling: str) -> None:
    model = tiny_encoder(tmp_path, "bert")
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds
    ]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_Pooling").mkdir()
    mode = {"cls": "cls_token", "max": "max_tokens", "last": "lasttoken"}[pooling]
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
    encoder = Encoder.load(encoder_folder(str(tmp_path), precision="float32"))
    assert encoder.spec.pooling == pooling
    np.testing.assert_allclose(
        encoder.encode(TEXTS), pooled_by_torch(tmp_path, model, pooling), atol=1e-4
    )


def test_a_dense_stage_is_exported(user_folder: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Dense,
        Normalize,
        Pooling,
        Transformer,
    )

    tiny_encoder(tmp_path / "base", "bert")
    transformer = Transformer(str(tmp_path / "base"))
    stages = [
        transformer,
        Pooling(32),
        Dense(32, 16, activation_function=torch.nn.Tanh()),
        Normalize(),
    ]
    model = SentenceTransformer(modules=stages, device="cpu")
    model.save(str(tmp_path / "whole"))
    encoder = Encoder.load(encoder_folder(str(tmp_path / "whole"), precision="float32"))
    assert encoder.dimensions == 16
    np.testing.assert_allclose(encoder.encode(TEXTS), model.encode(TEXTS), atol=1e-4)
