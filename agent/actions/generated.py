"""Answers that a language model writes from passages, with its citations checked."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.errors import GeneratorError
from agent.prompts.generator import Generator, OnText, without_thoughts
from agent.prompts.listening import listener
from agent.prompts.templates import RenderedPrompt, Templates
from knowledge.passage import ScoredPassage
from knowledge.sentences import sentence_spans

PROMPT = "generated_answer"
_CITATION = re.compile(r"\s*\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
# A citation after the full stop belongs to the sentence before it.
_LATE = re.compile(rf"([.!?…。！？]+)((?:{_CITATION.pattern})+)")
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

    Whoever listens (`agent.prompts.listening`) hears each sentence once its citations were
    checked. Sentences at the end that cite nothing are left out.

    Raises:
        GeneratorError: no answer in time, or one that cites nothing, cites what is not there,
            or has a number or a link that no source has that it cited so far.
    """
    mark = secrets.token_hex(8)
    sources = [
        {"number": number, "title": one.passage.title, "text": one.passage.text}
        for number, one in enumerate(found, 1)
    ]
    prompt = templates.render(PROMPT, sources=sources, mark=mark)
    telling = _Telling(_Check(question, found, mark), listener())
    text = await generator.generate(prompt.text, question, on_text=telling)
    if not text or mark in text:
        raise GeneratorError("the model answered nothing that can be shown")
    if _NO_ANSWER.match(text):
        return None
    check = _Check(question, found, mark)
    said = "".join(check(one) for one in _statements(text))
    if not said:
        raise GeneratorError("the model's answer cites no source")
    return Generated(said.strip(), tuple(check.cited), prompt)


def _statements(text: str, *, whole: bool = True) -> list[str]:
    """The text cut after each sentence by whose end something was cited since the last cut.

    What nothing is cited for at its end is left out; of a text that is not `whole` yet, also
    what may still grow.
    """
    text = _LATE.sub(r"\2\1", text)
    spans = sentence_spans(text)
    if not whole and spans:
        last = spans.pop()
        if text[last[0]] == "[":  # it may become a citation of the sentence before
            spans = spans[:-1]
    found, begun = [], 0
    for _, end in spans:
        if _CITATION.search(text, begun, end):
            found.append(text[begun:end])
            begun = end
    return found


@dataclass(slots=True)
class _Check:
    """Checks an answer statement by statement; `cited` are its sources so far, in order."""

    question: str
    found: Sequence[ScoredPassage]
    mark: str
    cited: list[ScoredPassage] = field(default_factory=list)

    def __call__(self, statement: str) -> str:
        """The statement with `[n]` for the n-th of the cited documents, as sources are listed.

        Raises:
            GeneratorError: it cites what is not there, or says what no cited source has.
        """
        if self.mark in statement:
            raise GeneratorError("the model's answer has the mark in it")
        self._cite(statement)
        self._check_facts(_CITATION.sub("", statement))
        return _CITATION.sub(self._renumber, statement)

    def _cite(self, statement: str) -> None:
        for match in _CITATION.finditer(statement):
            for number in map(int, match[1].split(",")):
                if not 1 <= number <= len(self.found):
                    raise GeneratorError(f"the model's answer cites [{number}], which is no source")
                if self.found[number - 1] not in self.cited:
                    self.cited.append(self.found[number - 1])

    def _check_facts(self, said: str) -> None:
        """Every number and link must stand in a cited source (or, a number, in the question)."""
        known = " ".join(f"{one.passage.title} {one.passage.text}" for one in self.cited)
        links = " ".join([known, *(one.passage.metadata.get("url", "") for one in self.cited)])
        for link in _LINK.findall(said):
            if link.rstrip(".,;:!?") not in links:
                raise GeneratorError(
                    f"the model's answer has a link that no source has: {link[:80]}"
                )
        numbers = set(_NUMBER.findall(f"{known} {self.question}"))
        for number in _NUMBER.findall(_LINK.sub("", said)):
            if number not in numbers:
                raise GeneratorError(
                    f"the model's answer has a number that no source has: {number}"
                )

    def _renumber(self, match: re.Match[str]) -> str:
        order = list(dict.fromkeys(one.passage.document_id for one in self.cited))
        numbers = dict.fromkeys(
            order.index(self.found[int(number) - 1].passage.document_id) + 1
            for number in match[1].split(",")
        )
        return " [" + ", ".join(map(str, numbers)) + "]"


@dataclass(slots=True)
class _Telling:
    """Tells a listener what was checked of an answer that is being written; then no more."""

    check: Callable[[str], str]
    listener: OnText
    text: str = ""
    told: int = 0
    wrong: bool = False

    def __call__(self, piece: str) -> None:
        """Take the next piece from the model."""
        self.text = (self.text + piece).lstrip()
        if self.wrong:
            return
        said_so_far = without_thoughts(self.text)
        for statement in _statements(said_so_far, whole=False)[self.told :]:
            try:
                said = self.check(statement)
            except GeneratorError:
                self.wrong = True  # the whole answer is checked again, and says so
                return
            self.listener(said)
            self.told += 1
