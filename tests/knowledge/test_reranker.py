from pathlib import Path

import pytest

from knowledge.errors import AgentError
from knowledge.reranker import CrossEncoderReranker

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder of a few thousand random weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fee", "card", "abroad", "zebra"]
    vocabulary = {word: number for number, word in enumerate(words)}
    BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=1,
        initializer_range=1.0,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_cross_encoder_by_its_folder_puts_texts_in_an_order_of_its_scores(tiny: Path) -> None:
    from sentence_transformers import CrossEncoder

    texts = ["fee card", "zebra", "card abroad fee", "zebra zebra card fee"]
    scores = CrossEncoder(str(tiny)).predict([("fee abroad", text) for text in texts])
    order = CrossEncoderReranker(str(tiny)).order("fee abroad", texts)
    assert order == sorted(range(4), key=lambda place: -scores[place])
    assert len({float(score) for score in scores}) == 4


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="nowhere"):
        CrossEncoderReranker(str(tmp_path / "nowhere")).order("a", ["b", "c"])
