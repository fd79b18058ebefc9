"""What words and letters are found to say of a label, and how much they count."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.project.types import Example, NluData
from agent.understanding.interpreter import NOTHING_KNOWN, Interpreter
from agent.understanding.runtime import Network
from agent.understanding.spelling import Spelling, terms_of
from training.finetune import train_understanding
from training.frozen.linear import fit_linear
from training.frozen.spelling import Letters, choose_scale, joined, known_terms, split
from training.options import TrainOptions

# No tokenizer of the tiny encoder knows any of these words.
GREETINGS = (
    "grüezi mitenand",
    "grüß gott",
    "guten morgen",
    "guten abend",
    "guten tag",
    "gute tage",
)
FAREWELLS = (
    "auf wiedersehen",
    "auf bald",
    "wiederschauen",
    "bis bald",
    "bis wiedersehen",
    "bis dann",
)


@pytest.fixture
def foreign() -> NluData:
    """Two intents in words that the encoder does not know."""
    rows = [(t, "greet") for t in GREETINGS] + [(t, "leave") for t in FAREWELLS]
    return NluData(examples=tuple(Example(text, intent) for text, intent in rows))


def targets() -> np.ndarray:
    return np.array([0] * len(GREETINGS) + [1] * len(FAREWELLS))


def test_terms_of_one_text_only_are_left_out() -> None:
    terms = known_terms(["ja gut", "ja schön"])
    assert "ja\n" in terms.places
    assert "gut\n" not in terms.places


def test_rarer_terms_count_more() -> None:
    terms = known_terms(["ja gut", "ja gut", "ja nun"])
    assert terms.rarity[terms.places["gut\n"]] > terms.rarity[terms.places["ja\n"]]


def test_directions_keep_the_likeness_of_texts() -> None:
    texts = (*GREETINGS, *FAREWELLS)
    letters = Letters.of(texts)
    wanted = [[cosine(letters, a, b) for b in texts] for a in texts]
    assert np.allclose(letters.vectors @ letters.vectors.T, wanted, atol=1e-3)
    assert np.allclose(letters.read(texts), letters.vectors, atol=1e-6)


def cosine(letters: Letters, first: str, second: str) -> float:
    rows = np.zeros((2, len(letters.terms.places)), np.float32)
    for row, text in zip(rows, (first, second), strict=True):
        places, weights = letters.terms.vector(text)
        row[places] = weights
    return float(rows[0] @ rows[1])


def test_letters_count_where_the_vectors_say_nothing() -> None:
    letters = Letters.of((*GREETINGS, *FAREWELLS)).vectors
    blind = np.ones((len(letters), 4), np.float32)
    parts = [list(range(i, len(letters), 3)) for i in range(3)]
    importance = np.ones(len(letters), np.float32)
    assert choose_scale(blind, letters, targets(), 2, parts, importance) > 0


def test_letters_do_not_count_where_the_vectors_say_it_all() -> None:
    rng = np.random.default_rng(0)
    letters = rng.standard_normal((60, 8)).astype(np.float32)
    gold = np.arange(60) % 2
    seeing = np.eye(2, dtype=np.float32)[gold]
    parts = [list(range(i, 60, 3)) for i in range(3)]
    assert choose_scale(seeing, letters, gold, 2, parts, np.ones(60, np.float32)) == 0


def test_no_letters_have_no_scale() -> None:
    nothing = Letters.of(["a", "b"]).vectors[:, :0]
    ones, gold = np.ones((2, 3), np.float32), np.array([0, 1])
    assert choose_scale(ones, nothing, gold, 2, [[0], [1]], np.ones(2, np.float32)) == 0


def test_a_head_is_split_into_the_encoder_s_part_and_that_of_terms() -> None:
    texts = (*GREETINGS, *FAREWELLS)
    letters = Letters.of(texts)
    pooled = np.random.default_rng(0).standard_normal((len(texts), 4)).astype(np.float32)
    x = joined(pooled, letters.vectors, 0.5)
    linear = fit_linear(x, targets(), 2)
    own, weights = split(linear, letters, 0.5)
    spelling = Spelling(letters.terms, {"intent_logits": weights})
    added = spelling.add_to({"intent_logits": own.logits(pooled)}, texts)["intent_logits"]
    assert np.allclose(added, linear.logits(x), atol=0.02)


def test_foreign_words_are_told_apart(foreign: NluData, tiny_encoder: Path, tmp_path: Path) -> None:
    options = TrainOptions(encoder=str(tiny_encoder), threads=1, method="head")
    train_understanding(foreign, tmp_path, options)
    assert (tmp_path / "spelling.npz").is_file()
    interpreter = replace(Interpreter.load(tmp_path), known=NOTHING_KNOWN)
    heard = interpreter.understand(["guten nachmittag", "auf baldiges wiederschauen"])
    assert [u.ranking[-2].intent for u in heard] == ["greet", "leave"]
    network = Network.load(tmp_path)
    together = network.run(["guten nachmittag", "bis bald"])
    alone = [network.run([text])[0] for text in ("guten nachmittag", "bis bald")]
    assert np.allclose(together[0].intents, alone[0].intents, atol=1e-3)
    assert np.allclose(together[1].intents, alone[1].intents, atol=1e-3)


def test_the_same_texts_give_the_same_terms() -> None:
    first, second = known_terms(GREETINGS), known_terms(GREETINGS)
    assert list(first.places) == list(second.places)
    assert terms_of("guten")["gut"] == 1
