"""A project's knowledge base: its folders of documents, its index, its retriever."""

from pathlib import Path

from knowledge.collection import LOCK_TIMEOUT_S, Collection, SyncReport, current_folder, versions
from knowledge.encoder import Encoder
from knowledge.encoder_source import kept_name
from knowledge.errors import InputError
from knowledge.folder_changes import FolderChanges, Progress
from knowledge.index import gpu_count
from knowledge.open_index import open_store, read_state
from knowledge.options import KnowledgeOptions
from knowledge.reranker import CrossEncoderReranker
from knowledge.retriever import DEFAULT_DIVERSITY, DEFAULT_FLOOR, Retriever, SearchOptions

DOCUMENTS = "knowledge"
INDEX = Path(".agent") / "knowledge"

__all__ = [
    "DOCUMENTS",
    "INDEX",
    "document_folders",
    "files_changed",
    "has_index",
    "made_otherwise",
    "open_project_retriever",
    "read_state",
    "searches_on_gpu",
    "sync_project",
]


def document_folders(root: Path, options: KnowledgeOptions) -> list[Path]:
    """The folders that a project's documents lie in: its own, then those of the settings.

    Raises:
        InputError: one of them is not there.
    """
    own = root / DOCUMENTS
    if not own.is_dir():
        raise InputError("this project has no knowledge folder", path=own)
    further = [root / Path(name).expanduser() for name in options.folders]
    for folder in further:
        if not folder.is_dir():
            raise InputError("no such folder of documents", path=folder, key="knowledge.folders")
    return [own, *further]


def sync_project(
    root: Path,
    options: KnowledgeOptions,
    encoder: Encoder,
    *,
    progress: Progress | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> SyncReport:
    """Brings a project's index in step with its documents; waits so long for other writers.

    Raises:
        InputError: a folder is missing.
        AgentError: the index cannot be written, or others write it for longer.
    """
    folders = document_folders(root, options)
    collection = Collection.open(root / INDEX, encoder, lock_timeout_s=lock_timeout_s)
    return collection.sync(*folders, progress=progress)


def open_project_retriever(
    root: Path, options: KnowledgeOptions, *, encoder: Encoder | None = None
) -> Retriever:
    """The retriever of a project's index; raises AgentError where there is none."""
    search = SearchOptions(
        floor=DEFAULT_FLOOR if options.floor is None else options.floor,
        diversity=DEFAULT_DIVERSITY if options.diversity is None else options.diversity,
        reranker=CrossEncoderReranker(options.reranker) if options.reranker else None,
    )
    return Retriever(root / INDEX, encoder=encoder, options=search)


def has_index(root: Path) -> bool:
    """Whether a project has a finished index, whatever state its files are in."""
    return current_folder(root / INDEX) is not None


def searches_on_gpu() -> bool:
    """Whether searches run on a GPU here, unless the vectors do not fit on it."""
    return gpu_count() > 0


def made_otherwise(root: Path, options: KnowledgeOptions) -> bool:
    """Whether a project's index was made with another encoder or by other rules than now.

    Raises:
        AgentError: there is no index, or it is damaged.
    """
    with open_store(root / INDEX) as store:
        meta = store.meta()
    wanted = {**versions(), "encoder": kept_name(options.encoder)}
    return any(meta.get(key) != value for key, value in wanted.items())


def files_changed(root: Path, options: KnowledgeOptions) -> bool:
    """Whether a file of the project's documents came, changed or went since it was indexed.

    Looks at sizes and times only: cheap enough to ask every few seconds.

    Raises:
        InputError: a folder is missing.
        AgentError: there is no index, or it is damaged.
    """
    with open_store(root / INDEX) as store:
        return FolderChanges(document_folders(root, options), store).any()
