"""Orders passages with a cross-encoder.                 [door: sentence_transformers]."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from knowledge.errors import AgentError


class CrossEncoderReranker:
    """Reads the question together with each passage; slower and better than vectors.

    The model is loaded at the first question. `name` is that of the model hub or a folder.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def order(self, query: str, texts: Sequence[str]) -> list[int]:
        """The places of the texts, the one that answers best first; ties keep their order.

        Raises:
            AgentError: the model cannot be loaded.
        """
        scores = _model(self.name).predict([(query, text) for text in texts])
        return sorted(range(len(texts)), key=lambda place: -float(scores[place]))


@cache
def _model(name: str) -> Any:
    # torch takes seconds to load; only projects that name a reranker pay for it.
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return CrossEncoder(name)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise AgentError(f"the reranker {name!r} cannot be loaded ({reason})") from error
