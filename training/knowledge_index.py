"""Brings the knowledge index of a project up to date."""

from pathlib import Path

from agent.settings import load_settings
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.open_project import sync_project
from training.options import Progress


def index_knowledge(root: Path, progress: Progress) -> None:
    """Index `<root>/knowledge` into `<root>/.agent/knowledge`; unchanged documents cost nothing.

    Raises:
        AgentError: the index cannot be written, or the encoder not be had.
    """
    options = load_settings(root).knowledge.options()
    folder = encoder_folder(options.encoder, notify=lambda text: progress(0.0, text))
    sync_project(
        root,
        options,
        Encoder.load(folder),
        progress=lambda done, total: progress(0.0, f"knowledge {done}/{total}"),
    )
