"""Documents in, scored passages out; nothing heavy is imported here."""

from knowledge.errors import AgentError, InputError
from knowledge.passage import Document, Passage, ScoredPassage

__all__ = ["AgentError", "Document", "InputError", "Passage", "ScoredPassage"]
