"""Answers a message from the knowledge base, or says honestly that nothing is known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agent.dialogue.events import BotUttered, UserUttered
from agent.dialogue.names import BUILTIN_INTENTS
from agent.project.types import Domain
from agent.prompts.responses import Utterance
from agent.prompts.templates import RenderedPrompt, Templates
from agent.turn import OOS_INTENT, Button, Reply
from knowledge.passage import Passage, ScoredPassage

_SUGGESTIONS = 2


class Retriever(Protocol):
    """Finds passages; nothing below its floor comes back."""

    def search(self, query: str, *, limit: int = 5) -> list[ScoredPassage]:
        """The passages that fit the query, best first."""


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """What questions are answered from.

    `best_sentences(question, passage)` picks the sentences of a passage that answer the
    question; `passages` is how many an answer names as its sources.
    """

    retriever: Retriever
    best_sentences: Callable[[str, Passage], str]
    passages: int = 3


def answer(
    message: UserUttered, base: KnowledgeBase, templates: Templates, *, recipient: str
) -> Utterance | None:
    """The answer to a message from the best passages; None if there is none good enough.

    A payload (`/intent`) asks nothing.
    """
    question = (message.text or "").strip()
    if not question or question.startswith("/"):
        return None
    found = base.retriever.search(question, limit=base.passages)
    if not found:
        return None
    best = found[0].passage
    text = base.best_sentences(question, best) or best.text
    prompt = templates.render("answer", question=question, text=text, title=best.title)
    return say(prompt, recipient, passages=tuple(found), utter_action="action_default_fallback")


def unknown(
    message: UserUttered | None, domain: Domain, templates: Templates, *, recipient: str
) -> Utterance:
    """Says that nothing is known, with buttons for the intents that come nearest."""
    buttons = suggestions(message, domain)
    prompt = templates.render(
        "unknown",
        question=(message.text if message else None) or "",
        suggestions=[button.title for button in buttons],
    )
    return say(prompt, recipient, buttons=buttons, utter_action="action_default_fallback")


def say(
    prompt: RenderedPrompt,
    recipient: str,
    *,
    utter_action: str,
    buttons: tuple[Button, ...] = (),
    passages: tuple[ScoredPassage, ...] = (),
) -> Utterance:
    """A rendered prompt as reply and event, with its version and its sources."""
    metadata: dict[str, Any] = {
        "utter_action": utter_action,
        "prompts": {prompt.name: prompt.version},
    }
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


def with_suggestions(said: Utterance, message: UserUttered | None, domain: Domain) -> Utterance:
    """The utterance with buttons for the nearest intents, unless it has buttons of its own."""
    buttons = suggestions(message, domain)
    if said.reply is None or said.reply.buttons or not buttons:
        return said
    raw = [{"title": b.title, "payload": b.payload} for b in buttons]
    event = BotUttered(
        text=said.event.text,
        data={**said.event.data, "buttons": raw},
        metadata=said.event.metadata,
        timestamp=said.event.timestamp,
    )
    return Utterance(event, replace(said.reply, buttons=buttons))


def suggestions(
    message: UserUttered | None, domain: Domain, limit: int = _SUGGESTIONS
) -> tuple[Button, ...]:
    """Buttons for the best intents of the message's ranking that a person may mean.

    Where the project gives intents titles, only those with one are suggested; otherwise a
    name stands for its title, its underscores as spaces.
    """
    parse = message.parse_data if message else {}
    titled = any(intent.title for intent in domain.intents.values())
    buttons = []
    for score in parse.get("intent_ranking") or ():
        title, payload = _suggestion(str(score.get("name")), parse, domain, titled)
        if title:
            buttons.append(Button(title, payload))
    return tuple(buttons[:limit])


def _suggestion(
    name: str, parse: Mapping[str, Any], domain: Domain, titled: bool
) -> tuple[str, str]:
    """An intent's title and payload; no title where it cannot be suggested."""
    intent = domain.intents.get(name)
    if intent is None or name in BUILTIN_INTENTS or name == OOS_INTENT:
        return "", ""
    if titled and not intent.title:
        return "", ""
    if not intent.is_retrieval:
        return intent.title or spoken(name), f"/{name}"
    # Of a question with many answers, the one that came nearest.
    selected = (parse.get("response_selector") or {}).get(name) or {}
    key = str((selected.get("response") or {}).get("intent_response_key") or "")
    return (spoken(key.partition("/")[2]), f"/{key}") if "/" in key else ("", "")


def spoken(name: str) -> str:
    """A name as a person would say it; of a retrieval intent, its key.

    >>> spoken("check_balance")
    'Check balance'
    """
    name = name.rpartition("/")[2]
    words = " ".join(name.replace("_", " ").replace("+", " and ").split())
    return words[:1].upper() + words[1:]


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
