"""Documents in, scored passages out; nothing heavy is imported here."""

import os

from knowledge.errors import AgentError, InputError
from knowledge.passage import Document, Passage, ScoredPassage

# ONNX Runtime's Linux wheels report to Microsoft unless this stands before they are loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["AgentError", "Document", "InputError", "Passage", "ScoredPassage"]
