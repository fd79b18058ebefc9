"""Answers a message from the knowledge base, or says honestly that nothing is known."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agent.actions.generated import generate_answer
from agent.actions.question import completions, leans_on_dialogue, points_back, shares_a_word
from agent.actions.suggestions import doors, suggestions
from agent.dialogue.events import BotUttered, UserUttered
from agent.dialogue.tracker import Tracker
from agent.errors import GeneratorError
from agent.project.types import Domain
from agent.prompts.generator import Generator
from agent.prompts.responses import Utterance
from agent.prompts.templates import RenderedPrompt, Templates
from agent.turn import DOORS, Button, Reply
from knowledge.passage import Passage, ScoredPassage

_log = logging.getLogger(__name__)


class Retriever(Protocol):
    """Finds passages; nothing below its floor comes back."""

    def search(self, query: str, *, limit: int = 5) -> list[ScoredPassage]:
        """The passages that fit the query, best first."""


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """What questions are answered from.

    `best_sentences(question, passage)` picks the sentences of a passage that answer the
    question; `passages` is how many an answer names as its sources. With a `generator` a
    language model writes the answer; with `rewrite` a question that leaves something out is
    completed from the dialogue.
    """

    retriever: Retriever
    best_sentences: Callable[[str, Passage], str]
    passages: int = 3
    generator: Generator | None = None
    rewrite: bool = True


@dataclass(frozen=True, slots=True)
class _Finding:
    """What was found, and the question as it was put to the knowledge base."""

    question: str
    passages: Sequence[ScoredPassage]


async def answer(
    message: UserUttered, base: KnowledgeBase, templates: Templates, tracker: Tracker
) -> Utterance | None:
    """The answer to a message from the best passages; None if there is none good enough.

    A payload (`/intent`) asks nothing.
    """
    question = (message.text or "").strip()
    if not question or question.startswith("/"):
        return None
    finding = _find(question, base, tracker)
    if finding is None:
        return None
    if base.generator is not None:
        try:
            return await _generated(finding, base.generator, templates, tracker)
        except GeneratorError as error:
            _log.warning("the best sentences answer instead: %s", error)
    return _extracted(finding, base, templates, tracker)


def unknown(
    message: UserUttered | None,
    domain: Domain,
    templates: Templates,
    *,
    recipient: str,
    suggest: bool = True,
) -> Utterance:
    """Says that nothing is known; `suggest`: with buttons for what comes nearest, or leads on."""
    guesses = suggestions(message, domain) if suggest else ()
    buttons = guesses or (doors(domain) if suggest else ())
    prompt = templates.render(
        "unknown",
        question=(message.text if message else None) or "",
        suggestions=[button.title for button in guesses],
    )
    said = say(prompt, recipient, buttons=buttons, utter_action="action_default_fallback")
    return said if guesses else with_doors(said)


def with_doors(said: Utterance) -> Utterance:
    """The utterance with a note that its buttons, if any, guess nothing of what was meant."""
    if said.reply is None or not said.reply.buttons:
        return said
    metadata = {**said.reply.metadata, DOORS: True}
    return replace(said, reply=replace(said.reply, metadata=metadata))


def say(
    prompt: RenderedPrompt,
    recipient: str,
    *,
    utter_action: str,
    buttons: tuple[Button, ...] = (),
    passages: tuple[ScoredPassage, ...] = (),
    asked: str = "",
    prompts: Sequence[RenderedPrompt] = (),
) -> Utterance:
    """A rendered prompt as reply and event, with the versions of all prompts and its sources.

    `asked` is the completed question, where it is not the message itself.
    """
    metadata: dict[str, Any] = {
        "utter_action": utter_action,
        "prompts": {one.name: one.version for one in (prompt, *prompts)},
    }
    if asked:
        metadata["asked"] = asked
    if passages:
        metadata["sources"] = [_source(scored) for scored in passages]
    data = {
        "elements": None,
        "quick_replies": None,
        "buttons": [{"title": b.title, "payload": b.payload} for b in buttons] or None,
        "attachment": None,
        "image": None,
        "custom": None,
    }
    reply = Reply(
        recipient, text=prompt.text, buttons=buttons, passages=passages, metadata=metadata
    )
    return Utterance(BotUttered(text=prompt.text, data=data, metadata=metadata), reply)


def _find(question: str, base: KnowledgeBase, tracker: Tracker) -> _Finding | None:
    """What answers the question, completed from the dialogue where it says too little."""
    leaning = base.rewrite and leans_on_dialogue(question)
    if leaning and (finding := _find_completed(question, base, tracker)):
        return finding
    if passages := base.retriever.search(question, limit=base.passages):
        return _Finding(question, passages)
    if base.rewrite and not leaning and points_back(question):
        return _find_completed(question, base, tracker)
    return None


def _find_completed(question: str, base: KnowledgeBase, tracker: Tracker) -> _Finding | None:
    for completed in completions(question, tracker):
        passages = base.retriever.search(completed, limit=base.passages)
        # What was said before finds its own answer again: the new words must count, too.
        if passages and (
            points_back(question) or shares_a_word(question, passages[0].passage.searched_text)
        ):
            return _Finding(completed, passages)
    return None


def _extracted(
    finding: _Finding, base: KnowledgeBase, templates: Templates, tracker: Tracker
) -> Utterance:
    best = finding.passages[0].passage
    text = base.best_sentences(finding.question, best) or best.text
    return _answered(finding, text, tuple(finding.passages), templates, tracker)


async def _generated(
    finding: _Finding, generator: Generator, templates: Templates, tracker: Tracker
) -> Utterance | None:
    written = await generate_answer(finding.question, finding.passages, generator, templates)
    if written is None:
        return None
    return _answered(
        finding, written.text, written.passages, templates, tracker, prompts=[written.prompt]
    )


def _answered(
    finding: _Finding,
    text: str,
    passages: tuple[ScoredPassage, ...],
    templates: Templates,
    tracker: Tracker,
    *,
    prompts: Sequence[RenderedPrompt] = (),
) -> Utterance:
    """The answer in its template, with its sources."""
    title = passages[0].passage.title
    prompt = templates.render("answer", question=finding.question, text=text, title=title)
    message = tracker.latest_message
    said = ((message.text if message else None) or "").strip()
    return say(
        prompt,
        tracker.conversation_id,
        passages=passages,
        utter_action="action_default_fallback",
        asked="" if finding.question == said else finding.question,
        prompts=prompts,
    )


def _source(scored: ScoredPassage) -> dict[str, Any]:
    passage = scored.passage
    return {
        "id": passage.id,
        "document_id": passage.document_id,
        "title": passage.title,
        "start": passage.start,
        "end": passage.end,
        "score": scored.score,
    }
