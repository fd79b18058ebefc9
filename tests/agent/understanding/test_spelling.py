"""What the words and letters of a message add to the network's logits."""

import json
from pathlib import Path

import numpy as np
import pytest

from agent.errors import ModelError
from agent.understanding.spelling import Spelling, Terms, terms_of


@pytest.fixture
def spelling() -> Spelling:
    """Knows "ja" (for the first class) and "nein" (for the second) by the whole word."""
    terms = Terms({"ja\n": 0, "nein\n": 1}, np.array([1, 2], np.float32))
    return Spelling(terms, {"intent_logits": np.array([[1, 0], [0, 3]], np.float16)})


def test_terms_are_characters_words_and_pairs_of_words() -> None:
    found = terms_of("a b a")
    assert {"a": 2, "a\n": 2, " a ": 2, "a\nb": 1, "b\na": 1}.items() <= found.items()
    assert not terms_of("  ")


def test_case_width_and_digits_are_folded_and_signs_stand_alone() -> None:
    assert terms_of("ＪＡ") == terms_of("ja")
    assert terms_of("12:45") == terms_of("90 : 11")


def test_vowel_signs_stay_in_their_word() -> None:
    assert "කොවිඩ්\n" in terms_of("කොවිඩ් ගැන")


def test_a_very_long_text_is_read_in_part() -> None:
    assert terms_of("ja " * 100_000).total() < 20_000


def test_terms_add_to_the_logits_of_each_text(spelling: Spelling) -> None:
    outputs = {"intent_logits": np.ones((3, 2), np.float32), "pooled": np.zeros((3, 4), np.float32)}
    added = spelling.add_to(outputs, ["ja", "nein", "?"])
    assert added["intent_logits"].tolist() == [[2, 1], [1, 4], [1, 1]]
    assert added["pooled"] is outputs["pooled"]
    assert outputs["intent_logits"].tolist() == [[1, 1]] * 3


def test_a_text_of_several_terms_has_a_vector_of_unit_length(spelling: Spelling) -> None:
    places, weights = spelling.terms.vector("ja ja nein")
    assert places.tolist() == [0, 1]
    assert np.isclose(np.linalg.norm(weights), 1)


def test_what_is_saved_is_loaded(spelling: Spelling, tmp_path: Path) -> None:
    spelling.save(tmp_path)
    loaded = Spelling.load(tmp_path)
    assert loaded.terms.places == spelling.terms.places
    assert loaded.terms.rarity.tolist() == [1, 2]
    assert loaded.weights["intent_logits"].tolist() == [[1, 0], [0, 3]]


def test_a_model_without_one_adds_nothing(tmp_path: Path) -> None:
    Spelling().save(tmp_path)
    assert not list(tmp_path.iterdir())
    outputs = {"intent_logits": np.ones((1, 2), np.float32)}
    assert Spelling.load(tmp_path).add_to(outputs, ["ja"]) == outputs


def test_lone_surrogates_are_kept(tmp_path: Path) -> None:
    terms = Terms({"\ud83d\n": 0}, np.ones(1, np.float32))
    Spelling(terms, {"intent_logits": np.ones((1, 1), np.float16)}).save(tmp_path)
    assert Spelling.load(tmp_path).terms.vector("\ud83d")[1].tolist() == [1]


def write_terms(folder: Path, document: object) -> None:
    (folder / "spelling.json").write_text(json.dumps(document))


def test_a_damaged_one_is_named(spelling: Spelling, tmp_path: Path) -> None:
    spelling.save(tmp_path)
    for document, words in (
        ({"format": 2, "terms": ["a", "b"]}, "format 2"),
        ({"format": 1, "terms": ["a"]}, "differ in length"),
        ({"format": 1}, "cannot be read"),
        ([], "cannot be read"),
    ):
        write_terms(tmp_path, document)
        with pytest.raises(ModelError, match=words):
            Spelling.load(tmp_path)
    (tmp_path / "spelling.npz").write_bytes(b"no zip")
    with pytest.raises(ModelError, match="agent train"):
        Spelling.load(tmp_path)
