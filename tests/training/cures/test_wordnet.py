"""Synonyms out of a small hand-made WordNet data base."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.cures.wordnet import WordNet, find_wordnet, synonym_table
from training.errors import InputError

ENTRIES = {
    "noun": [["funds", "finances"], ["week", "hebdomad", "calendar_week"]],
    "verb": [["cancel", "scratch"]],
    "adj": [["glad", "happy(p)"]],
    "adv": [],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data base of the entries: each word has one sense."""
    for part, groups in ENTRIES.items():
        data, index = "  1 a licence stands here\n", "  1 a licence stands here\n"
        for group in groups:
            names = " ".join(f"{name} 0" for name in group)
            place = len(data.encode())
            data += f"{place:08d} 00 n {len(group):02x} {names} 000 | what it means\n"
            plain = [name.partition("(")[0] for name in group]
            index += "".join(f"{name} n 1 0 1 0 {place:08d}  \n" for name in plain)
        (tmp_path / f"data.{part}").write_text(data)
        (tmp_path / f"index.{part}").write_text(index)
    return tmp_path


def encode(words: object) -> NDArray[np.float32]:
    """Words that share their first letter are close."""
    rows = np.zeros((len(list(words)), 26), np.float32)  # type: ignore[call-overload]
    for row, word in zip(rows, words, strict=True):  # type: ignore[call-overload]
        row[ord(word[0]) - ord("a")] = 1
    return rows


def test_single_words_of_the_commonest_sense_are_synonyms(folder: Path) -> None:
    wordnet = WordNet(folder)
    assert wordnet.synonyms("funds") == ["finances"]
    assert wordnet.synonyms("week") == ["hebdomad"]
    assert wordnet.synonyms("glad") == ["happy"]
    assert wordnet.synonyms("unknown") == []


def test_only_those_that_the_encoder_finds_close_are_used(folder: Path) -> None:
    texts = ["Cancel my funds this week", "cancel it"]
    assert synonym_table(texts, WordNet(folder), encode) == {"funds": ["finances"]}


def test_the_environment_says_where_it_lies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WNSEARCHDIR", str(folder))
    assert find_wordnet().synonyms("finances") == ["funds"]
    monkeypatch.setenv("WNSEARCHDIR", str(folder / "gone"))
    with pytest.raises(InputError, match="no WordNet"):
        find_wordnet()
