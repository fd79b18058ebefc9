"""What a project's settings say about its knowledge base."""

from dataclasses import dataclass

from knowledge.encoder_source import DEFAULT_ENCODER


@dataclass(frozen=True, slots=True)
class KnowledgeOptions:
    """How a project's knowledge base is indexed and searched.

    `floor`, `diversity` and `reranker` are those of `knowledge.retriever.SearchOptions`, None
    for its default (the reranker: none); `folders` are further folders of documents, beside
    the project's own, absolute or below the project.
    """

    encoder: str = DEFAULT_ENCODER
    floor: float | None = None
    diversity: float | None = None
    reranker: str | None = None
    folders: tuple[str, ...] = ()
