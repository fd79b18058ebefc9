"""Answers that a language model writes from passages, with its citations checked."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import GeneratorError
from agent.prompts.generator import Generator
from agent.prompts.templates import RenderedPrompt, Templates
from knowledge.passage import ScoredPassage

PROMPT = "generated_answer"
_CITATION = re.compile(r"\s*\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_NO_ANSWER = re.compile(r"\W*no answer\W*$", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LINK = re.compile(r"(?:https?://|www\.)[^\s)\]>\"']+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer with the passages that it cites: `[n]` is the n-th document among them."""

    text: str
    passages: tuple[ScoredPassage, ...]
    prompt: RenderedPrompt


async def generate_answer(
    question: str, found: Sequence[ScoredPassage], generator: Generator, templates: Templates
) -> Generated | None:
    """The model's answer from the passages; None when it says that they do not answer.

    Raises:
        GeneratorError: no answer in time, or one that cites nothing, cites what is not there,
            or has a number or a link that no cited source has.
    """
    mark = secrets.token_hex(8)
    sources = [
        {"number": number, "title": one.passage.title, "text": one.passage.text}
        for number, one in enumerate(found, 1)
    ]
    prompt = templates.render(PROMPT, sources=sources, mark=mark)
    text = await generator.generate(prompt.text, question)
    if not text or mark in text:
        raise GeneratorError("the model answered nothing that can be shown")
    if _NO_ANSWER.match(text):
        return None
    cited = _cited(text, found)
    _check_facts(text, question, cited)
    return Generated(_renumbered(text, found, cited), tuple(cited), prompt)


def _cited(text: str, found: Sequence[ScoredPassage]) -> list[ScoredPassage]:
    """The cited passages in the order of their citations."""
    numbers = dict.fromkeys(
        int(number) for match in _CITATION.finditer(text) for number in match[1].split(",")
    )
    if not numbers:
        raise GeneratorError("the model's answer cites no source")
    wrong = [number for number in numbers if not 1 <= number <= len(found)]
    if wrong:
        raise GeneratorError(f"the model's answer cites [{wrong[0]}], which is no source")
    return [found[number - 1] for number in numbers]


def _check_facts(text: str, question: str, cited: Sequence[ScoredPassage]) -> None:
    """Every number and link must stand in a cited source (or, a number, in the question)."""
    known = " ".join(f"{one.passage.title} {one.passage.text}" for one in cited)
    links = " ".join([known, *(one.passage.metadata.get("url", "") for one in cited)])
    said = _CITATION.sub("", text)
    for link in _LINK.findall(said):
        if link.rstrip(".,;:!?") not in links:
            raise GeneratorError(f"the model's answer has a link that no source has: {link[:80]}")
    numbers = set(_NUMBER.findall(f"{known} {question}"))
    for number in _NUMBER.findall(_LINK.sub("", said)):
        if number not in numbers:
            raise GeneratorError(f"the model's answer has a number that no source has: {number}")


def _renumbered(text: str, found: Sequence[ScoredPassage], cited: Sequence[ScoredPassage]) -> str:
    """The text with `[n]` for the n-th of the cited documents, as sources are listed."""
    order = list(dict.fromkeys(one.passage.document_id for one in cited))

    def renumber(match: re.Match[str]) -> str:
        numbers = dict.fromkeys(
            order.index(found[int(number) - 1].passage.document_id) + 1
            for number in match[1].split(",")
        )
        return " [" + ", ".join(map(str, numbers)) + "]"

    return _CITATION.sub(renumber, text).strip()
