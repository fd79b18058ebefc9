"""Answer or decline: how sure the retriever is of questions that can and cannot be answered.

Each question of XQuAD is asked three times: of all articles, with its own article taken out
(`easy`) and with only its own passage taken out (`hard`). The bank's questions are asked beside
chat of other domains. A list of questions with answers is asked for what stands in it and, near
misses, for what is about the same matters but does not. An answer is right when the best passage is
of the right document.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sklearn.metrics import roc_auc_score

from knowledge.benchmark_files import read_corpus, read_qrels, read_queries
from knowledge.collection import Collection
from knowledge.convert import encoder_folder
from knowledge.encoder import Encoder
from knowledge.passage import Document
from knowledge.project_folder import bundled_assistant
from knowledge.retriever import Retriever, open_retriever

# Every fourth question of XQuAD fitted the weights of the confidence: these are others. The bank's
# own questions all did.
EVERY, FIRST = 8, 1
BANK_QUESTIONS = Path(__file__).parents[1] / "golden" / "bank_questions.jsonl"
PAIR_EVERY = 4  # of the test questions
# The assistant's own subjects can be answered in part.
NOT_FOREIGN = ("banking", "credit_cards", "work")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: whether it can be answered, whether the answer is right, how sure it is."""

    answerable: bool
    right: bool
    confidence: float


def run(data: Path) -> dict[str, Any]:
    """Area under the curve, precision and share of answers at the default, by mix."""
    encoder = Encoder.load(encoder_folder(), threads=2)
    figures: dict[str, Any] = {}
    for language in ("en", "zh"):
        folder = data / f"xquad_{language}"
        if folder.is_dir():
            mixes = _xquad(folder, encoder)
            for kind in ("easy", "hard"):
                figures[f"xquad_{language} {kind}"] = _figures(mixes["full"] + mixes[kind])
    figures["bank"] = _figures(list(_bank(data, encoder)))
    for name in ("banking77", "clinc150"):
        if (data / name).is_dir():
            figures[f"{name} pairs"] = _figures(list(_pairs(data / name, encoder)))
    return figures


def _xquad(folder: Path, encoder: Encoder) -> dict[str, list[Asked]]:
    corpus = {one.id: one for one in read_corpus(folder / "corpus.jsonl")}
    articles: dict[str, set[str]] = {}
    for one in corpus.values():
        articles.setdefault(one.title, set()).add(one.id)
    queries = read_queries(folder / "queries.jsonl")
    qrels = read_qrels(folder / "qrels.tsv")
    chosen = [name for place, name in enumerate(queries) if place % EVERY == FIRST]
    mixes: dict[str, list[Asked]] = {"full": [], "hard": [], "easy": []}
    with TemporaryDirectory() as place:
        collection = Collection.open(Path(place), encoder)
        collection.upsert(corpus.values())
        retriever = open_retriever(Path(place), encoder=encoder)
        for name in chosen:
            relevant = {document for document, grade in qrels[name].items() if grade > 0}
            mixes["full"].append(_ask(retriever, queries[name], relevant))
        for title, article in articles.items():
            own = [name for name in chosen if set(qrels[name]) & article]
            for name in own:
                mixes["hard"].append(_without(collection, corpus, set(qrels[name]), queries[name]))
            collection.delete(article)
            mixes["easy"] += [_ask(retriever, queries[name], set()) for name in own]
            collection.upsert(corpus[one] for one in sorted(articles[title]))
    return mixes


def _without(
    collection: Collection, corpus: Mapping[str, Document], out: set[str], query: str
) -> Asked:
    collection.delete(out)
    retriever = open_retriever(collection.folder, encoder=collection.encoder)
    asked = _ask(retriever, query, set())
    retriever.close()
    collection.upsert(corpus[name] for name in sorted(out))
    return asked


def _bank(data: Path, encoder: Encoder) -> Iterator[Asked]:
    with TemporaryDirectory() as place:
        Collection.open(Path(place), encoder).sync(bundled_assistant() / "knowledge")
        retriever = open_retriever(Path(place), encoder=encoder)
        for line in BANK_QUESTIONS.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            document = row["document"]
            yield _ask(retriever, row["question"], {document} if document else set())
        chat = data / "clinc150" / "test.jsonl"
        if not chat.is_file():
            return
        rows = map(json.loads, chat.read_text(encoding="utf-8").splitlines())
        foreign = [row["text"] for row in rows if row.get("domain") not in NOT_FOREIGN]
        for text in foreign[:: len(foreign) // 120]:
            yield _ask(retriever, text, set())


def _pairs(folder: Path, encoder: Encoder) -> Iterator[Asked]:
    """Two of three intents have a pair, whose question is their most typical one of `train`."""
    asked: dict[str, list[str]] = {}
    for split in ("train", "test"):
        for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["intent"] != "oos":
                asked.setdefault(f"{split}/{row['intent']}", []).append(row["text"])
    intents = sorted(name.removeprefix("test/") for name in asked if name.startswith("test/"))
    pairs = []
    for place, intent in enumerate(intents):
        if place % 3:
            texts = asked[f"train/{intent}"]
            vectors = encoder.encode_queries(texts)  # (n, H)
            typical = texts[int((vectors @ vectors.mean(axis=0)).argmax())]
            title = intent.replace("_", " ")
            pairs.append(Document(intent, title, f"{title}.", question=typical))
    with TemporaryDirectory() as place_of_index:
        Collection.open(Path(place_of_index), encoder).upsert(pairs)
        retriever = open_retriever(Path(place_of_index), encoder=encoder)
        known = {pair.id for pair in pairs}
        for intent in intents:
            for text in asked[f"test/{intent}"][::PAIR_EVERY]:
                yield _ask(retriever, text, {intent} & known)
        retriever.close()


def _ask(retriever: Retriever, query: str, relevant: set[str]) -> Asked:
    found = retriever.search_all(query, limit=1)
    best = found[0].passage.document_id if found else None
    sure = (found[0].confidence or 0.0) if found else 0.0
    return Asked(bool(relevant), best in relevant, sure)


def _figures(asked: list[Asked]) -> dict[str, float]:
    from knowledge.retriever import DEFAULT_FLOOR

    answered = [one for one in asked if one.confidence >= DEFAULT_FLOOR]
    answerable = sum(one.answerable for one in asked)
    right = sum(one.right for one in answered)
    area = roc_auc_score([one.answerable for one in asked], [one.confidence for one in asked])
    return {
        "answerable": answerable,
        "unanswerable": len(asked) - answerable,
        "auroc": round(float(area), 3),
        "precision": round(right / max(1, len(answered)), 3),
        "answered_rightly": round(right / answerable, 3),
        "declined_of_unanswerable": round(
            1 - sum(not one.answerable for one in answered) / max(1, len(asked) - answerable),
            3,
        ),
    }
