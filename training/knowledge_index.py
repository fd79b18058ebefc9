"""Brings the knowledge index of a project up to date."""

from pathlib import Path

from agent.settings import load_settings
from knowledge.collection import Collection
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from training.options import Progress


def index_knowledge(root: Path, progress: Progress) -> None:
    """Index `<root>/knowledge` into `<root>/.agent/knowledge`; unchanged documents cost nothing.

    Raises:
        AgentError: the index cannot be written, or the encoder not be had.
    """
    settings = load_settings(root).knowledge
    folder = encoder_folder(settings.encoder, notify=lambda text: progress(0.0, text))
    collection = Collection.open(root / ".agent" / "knowledge", Encoder.load(folder))
    collection.sync(
        root / "knowledge",
        progress=lambda done, total: progress(0.0, f"knowledge {done}/{total}"),
    )
