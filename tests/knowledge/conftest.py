"""Fixtures of the knowledge room: a fake encoder, a folder of documents, the real encoder."""

from pathlib import Path

import pytest

from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from tests.knowledge.fake_encoder import FakeEncoder

DOCUMENTS = {
    "cards/block.md": "# Block a card\n\nOpen the app, choose the card and press Block.\n\n"
    "## Abroad\n\nCall us when you have no internet.\n",
    "fees.md": "---\ntitle: Fees\nurl: https://example.com/fees\ntags: [costs, prices]\n---\n\n"
    "A transfer abroad costs two euros.\n",
    "hours.txt": "Our branches open at nine in the morning.\n",
}


@pytest.fixture
def encoder() -> FakeEncoder:
    """An encoder that needs no model."""
    return FakeEncoder()


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with three documents."""
    folder = tmp_path / "knowledge"
    for name, text in DOCUMENTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def minilm(user_folder: Path) -> Encoder:
    """The packaged encoder, converted once a session."""
    return Encoder.load(encoder_folder())
