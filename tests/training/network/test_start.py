from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agent.project.types import Example
from agent.understanding.network import JointNetwork, load_network
from tests.training.tiny import examples
from training.corpus import read_corpus
from training.finetune import train_understanding
from training.network import full
from training.network.start import carry_over, head_of, start
from training.options import TrainOptions

OPTIONS = TrainOptions(threads=1, epochs=2)
NEW = Example("please block it now", "block")


@pytest.fixture(scope="module")
def earlier(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    train_understanding(examples(), folder, replace(OPTIONS, encoder=str(tiny_encoder)))
    return folder


def _words(network: JointNetwork) -> torch.Tensor:
    words: torch.Tensor = network.encoder.get_input_embeddings().weight.detach()
    return words


def _intents(network: JointNetwork) -> torch.Tensor:
    return head_of(network, "intent").weight.detach()


def test_weights_are_drawn_a_share_of_the_way_and_new_intents_keep_their_own(
    tiny_encoder: Path, earlier: Path
) -> None:
    nlu = examples()
    corpus = read_corpus(replace(nlu, examples=(*nlu.examples, NEW)))
    network = start(corpus, replace(OPTIONS, encoder=str(tiny_encoder))).network
    old = load_network(earlier)
    words, rows = _words(network).clone(), _intents(network).clone()
    carry_over(old, network, share=0.25)
    torch.testing.assert_close(_words(network), 0.75 * words + 0.25 * _words(old))
    new, known = corpus.classes.index("block"), corpus.classes.index("greet")
    torch.testing.assert_close(_intents(network)[new], rows[new])
    theirs = _intents(old)[(old.config.intents or []).index("greet")]
    torch.testing.assert_close(_intents(network)[known], 0.75 * rows[known] + 0.25 * theirs)


def test_a_network_that_goes_on_ends_between_the_earlier_one_and_what_it_learned(
    tiny_encoder: Path, earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(OPTIONS, encoder=str(tiny_encoder), init_from=earlier)
    ended = {}
    for share in (0.0, 0.5, 1.0):
        monkeypatch.setattr(full, "_STAYS", share)
        out = tmp_path / str(share)
        out.mkdir()
        train_understanding(examples(), out, options)
        ended[share] = _intents(load_network(out))
    before = _intents(load_network(earlier))
    torch.testing.assert_close(ended[1.0], before)
    assert not torch.equal(ended[0.0], before)
    torch.testing.assert_close(ended[0.5], (ended[0.0] + before) / 2, atol=1e-3, rtol=1e-2)
