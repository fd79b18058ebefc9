"""Pretraining on the domain's texts: masked words are guessed better than before."""

from pathlib import Path

import pytest
import torch

from agent.understanding.network import JointNetwork, build_network
from tests.training.tiny import examples, make_encoder
from training.cures.pretrain import pretrain
from training.errors import InputError
from training.features import Tokenization
from training.options import silent

TEXTS = [example.text for example in examples().examples]


def learn(network: JointNetwork, tokenization: Tokenization, epochs: float) -> float:
    return pretrain(network, TEXTS, tokenization, epochs=epochs, pad_id=0, seed=0, progress=silent)


def test_masked_words_are_guessed_better_the_longer_it_reads(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "tiny")
    tokenization = Tokenization.load(folder / "tokenizer.json", 64)
    losses = []
    for epochs in (1.0, 200.0):
        torch.manual_seed(0)
        network = build_network(str(folder), intents=["a"], tags=[], heads={})
        # A random table is too small to tell words apart by.
        network.encoder.get_input_embeddings().weight.data *= 20
        before = network.encoder.get_input_embeddings().weight.clone()
        losses.append(learn(network, tokenization, epochs))
        assert torch.equal(before, network.encoder.get_input_embeddings().weight)
    assert losses[1] < 0.8 * losses[0]


def test_an_encoder_without_a_mask_token_is_refused(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "tiny")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("[MASK]", "[M]"))
    network = build_network(str(folder), intents=["a"], tags=[], heads={})
    with pytest.raises(InputError, match="mask token"):
        learn(network, Tokenization.load(path, 64), 1.0)
