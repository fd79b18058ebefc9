"""What the bank's knowledge base answers, and what it declines, with the real encoder."""

import json
from pathlib import Path

import pytest

from knowledge.collection import Collection
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.retriever import Retriever, open_retriever
from tests.bank.test_bank_knowledge import KNOWLEDGE, ROWS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bank(user_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    folder = tmp_path_factory.mktemp("bank")
    encoder = Encoder.load(encoder_folder(), threads=2)
    Collection.open(folder, encoder).sync(KNOWLEDGE)
    return open_retriever(folder, encoder=encoder)


def test_most_of_what_is_answered_is_right(bank: Retriever) -> None:
    answered = [(row, found) for row in ROWS if (found := bank.search(row["question"], limit=1))]
    right = [row for row, found in answered if found[0].passage.document_id == row["document"]]
    assert len(right) / len(answered) >= 0.85, json.dumps([row["id"] for row, _ in answered])
    assert len(right) >= 0.45 * sum(row["document"] is not None for row in ROWS)


@pytest.mark.parametrize(
    "text",
    [
        "what is 2+2",
        "how tall is your tower",
        "asdf qwer zxcv",
        "lorem ipsum dolor sit amet",
        "who won the world cup",
        "🙂🙂🙂",
        "do you know who i am",
        "what time of day is it",
    ],
)
def test_what_no_document_is_about_is_declined(bank: Retriever, text: str) -> None:
    assert bank.search(text) == []


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("what does a transfer abroad cost?", "transfers/international-transfers.md"),
        ("are your branches open on sunday?", "branches-and-hours/branch-opening-hours.md"),
        ("is my money protected if the bank fails?", "legal/deposit-protection.md"),
    ],
)
def test_plain_questions_are_answered(bank: Retriever, text: str, document: str) -> None:
    assert bank.search(text)[0].passage.document_id == document
