"""Options of a Rasa pipeline: what they leave unlearned, and which our network does not read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_Part = tuple[str, Mapping[str, Any]]
_READERS = ("Tokenizer", "Featurizer")
_ENTITY_LEARNERS = {"CRFEntityExtractor", "MitieEntityExtractor"}
_JOINT = "DIETClassifier"


def told_options(parts: Sequence[_Part]) -> Iterator[str]:
    """A line for what of the pipeline's options is not read, and one for what is not learned."""
    unread: dict[str, dict[str, None]] = {}
    for name, options in parts:
        if name.endswith(_READERS) or name == "KeywordIntentClassifier":
            others = {str(key): None for key in options if key not in ("name", "alias")}
            unread.setdefault(name, {}).update(others)
    listed = "; ".join(f"{name}: {', '.join(keys)}" for name, keys in unread.items() if keys)
    if listed:
        yield f"our network reads words, letters and capitals by itself; options not read: {listed}"
    if not learns_entities(parts):
        yield "no component learns entities from the examples, so none are learned, as in Rasa"


def learns_entities(parts: Sequence[_Part]) -> bool:
    """Whether a pipeline learns entities; one without a classifier or with custom parts may.

    >>> learns_entities([("DIETClassifier", {"entity_recognition": False})])
    False
    """
    classifies = any(name.endswith("Classifier") for name, _ in parts)
    if not classifies or any("." in name for name, _ in parts):
        return True
    return any(
        name in _ENTITY_LEARNERS
        or (name == _JOINT and options.get("entity_recognition", True) is not False)
        for name, options in parts
    )
