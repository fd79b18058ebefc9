"""A tiny encoder for the training tests, made once."""

from pathlib import Path

import pytest

from tests.training.tiny import make_encoder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("tiny") / "encoder")
