"""A prompt with a [MASK] on a tiny masked language model made here."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from typer.testing import CliRunner

from agent.__main__ import build_app
from knowledge.errors import InputError
from training.prompting import MaskedPrompt, load_prompt

LABELS = {"travel": ["paris", "london"], "money": ["eur"]}
TEMPLATE = "{text} we need [MASK] ."


@pytest.fixture(scope="module")
def masked(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny vocabulary under a masked language model that learned two sentences."""
    folder = tmp_path_factory.mktemp("masked")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_encoder)
    config = transformers.BertConfig.from_pretrained(tiny_encoder)
    torch.manual_seed(1)
    model = transformers.BertForMaskedLM(config)
    sentences = {"book a table": "paris", "send money": "eur", "": "please"}
    filled = [TEMPLATE.format(text=sentence) for sentence in sentences]
    given = tokenizer(filled, padding=True, return_tensors="pt")
    gold = torch.full_like(given.input_ids, -100)
    gold[given.input_ids == tokenizer.mask_token_id] = torch.tensor(
        tokenizer.convert_tokens_to_ids(list(sentences.values()))
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        model(**given, labels=gold).loss.backward()
        optimizer.step()
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def prompt(masked: Path) -> MaskedPrompt:
    return load_prompt(str(masked), TEMPLATE, LABELS)


def test_the_words_at_the_mask_decide(prompt: MaskedPrompt) -> None:
    found = prompt.classify(["book a table", "send money"])
    assert [prompt.labels[i] for i in found.argmax(axis=1)] == ["travel", "money"]
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_batches_and_padding_change_nothing(prompt: MaskedPrompt) -> None:
    texts = ["send money", "book a table for two in paris tomorrow please"] * 10
    alone = np.concatenate([prompt.classify([text]) for text in texts[:2]])
    assert prompt.classify(texts)[:2] == pytest.approx(alone, abs=1e-4)


def test_a_long_text_is_cut_and_the_mask_stays(prompt: MaskedPrompt) -> None:
    assert prompt.classify(["hello " * 5000]).shape == (1, 2)


def test_special_tokens_in_a_text_are_no_part_of_the_prompt(prompt: MaskedPrompt) -> None:
    hostile, plain = prompt.classify(["[MASK] send money [SEP]", "send money"])
    assert hostile == pytest.approx(plain, abs=1e-5)


def test_an_encoder_without_the_head_is_refused(tiny_encoder: Path) -> None:
    with pytest.raises(InputError, match="no head for"):
        load_prompt(str(tiny_encoder), TEMPLATE, LABELS)


@pytest.mark.parametrize("template", ["we need [MASK]", "{text} we need", "{text} {text} [MASK]"])
def test_a_template_without_its_parts_is_refused(masked: Path, template: str) -> None:
    with pytest.raises(InputError, match="needs"):
        load_prompt(str(masked), template, LABELS)


def test_a_label_without_a_known_word_is_refused(masked: Path) -> None:
    with pytest.raises(InputError, match="'music'"):
        load_prompt(str(masked), TEMPLATE, {**LABELS, "music": ["unknownword", "日"]})


def test_the_command_ranks_labels(masked: Path) -> None:
    arguments = ["classify", "send money", "--encoder", str(masked), "--template", TEMPLATE]
    arguments += ["--label", "travel=paris,london", "--label", "money=eur", "--json"]
    result = CliRunner().invoke(build_app(), arguments)
    assert result.exception is None
    assert json.loads(result.stdout)["labels"][0]["name"] == "money"
