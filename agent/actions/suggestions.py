"""Buttons for what an unclear message may have meant."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.dialogue.events import BotUttered, UserUttered
from agent.dialogue.names import BUILTIN_INTENTS, INTENT_OUT_OF_SCOPE
from agent.project.types import Domain
from agent.prompts.responses import Utterance
from agent.turn import FALLBACK_INTENT, OOS_INTENT, Button

_SUGGESTIONS = 2
# A guess that is hardly better than chance confuses more than it helps; all are in [0, 1].
_LEAST_CONFIDENCE = 0.1
_LEAST_OF_MORE = 0.03
_LEAST_IN_SCOPE = 0.2
NEVER_OFFERED = frozenset({*BUILTIN_INTENTS, OOS_INTENT, INTENT_OUT_OF_SCOPE})
# A language model that reviewers mostly disagreed with proposes no buttons.
_LEAST_TRUST = 0.5


def suggestions(
    message: UserUttered | None, domain: Domain, limit: int = _SUGGESTIONS
) -> tuple[Button, ...]:
    """Buttons for the best intents of the message's ranking that a person may mean.

    What a language model proposed comes first; else none where the message is about something
    else altogether. Where the project gives intents titles, only those with one are suggested;
    otherwise a name stands for its title, its underscores as spaces.
    """
    parse = message.parse_data if message else {}
    buttons = _proposed(parse.get("proposal") or {}, domain)
    if _is_foreign(parse):
        return tuple(buttons)
    titled = any(intent.title for intent in domain.intents.values())
    for score in parse.get("intent_ranking") or ():
        title, payload = _suggestion(str(score.get("name")), parse, domain, titled)
        least = _LEAST_OF_MORE if buttons else _LEAST_CONFIDENCE
        known = any(button.payload == payload for button in buttons)
        if title and not known and float(score.get("confidence", 1.0)) >= least:
            buttons.append(Button(title, payload))
    return tuple(buttons[:limit])


def doors(domain: Domain, limit: int = _SUGGESTIONS) -> tuple[Button, ...]:
    """Buttons that lead on from anywhere: the domain's first intents with a title, if any has."""
    titled = [i for i in domain.intents.values() if i.title and not i.is_retrieval]
    found = (_suggestion(intent.name, {}, domain, titled=True) for intent in titled)
    return tuple(Button(title, payload) for title, payload in found if title)[:limit]


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


def spoken(name: str) -> str:
    """A name as a person would say it; of a retrieval intent, its key.

    >>> spoken("check_balance")
    'Check balance'
    """
    name = name.rpartition("/")[2]
    words = " ".join(name.replace("_", " ").replace("+", " and ").split())
    return words[:1].upper() + words[1:]


def title_of(intent: str, domain: Domain) -> str:
    """What people read for an intent or an answer's key: its title, else its name in words."""
    name, _, key = intent.partition("/")
    known = domain.intents.get(name)
    title = (known.answer_titles.get(key) if key else known.title) if known else None
    return title or spoken(intent)


def is_for_people(intent: str, domain: Domain) -> bool:
    """Whether people may be offered an intent: it has a title, or none of the project's has one."""
    name, _, key = intent.partition("/")
    titled = any(known.title or known.answer_titles for known in domain.intents.values())
    known = domain.intents.get(name)
    title = (known.answer_titles.get(key) if key else known.title) if known else None
    return not titled or bool(title)


def _proposed(proposal: Mapping[str, Any], domain: Domain) -> list[Button]:
    """The button for what a language model proposed, if it may be offered to people."""
    name = str(proposal.get("intent") or "")
    known = name.partition("/")[0] in domain.intents and name not in NEVER_OFFERED
    if not known or float(proposal.get("trust") or 0.0) < _LEAST_TRUST:
        return []
    return [Button(title_of(name, domain), f"/{name}")] if is_for_people(name, domain) else []


def _is_foreign(parse: Mapping[str, Any]) -> bool:
    """Whether a message is surely about nothing that the assistant knows."""
    if float(parse.get("in_scope", 1.0)) < _LEAST_IN_SCOPE:
        return True
    ranked = [s for s in parse.get("intent_ranking") or () if s.get("name") != FALLBACK_INTENT]
    best = ranked[0] if ranked else {}
    return best.get("name") == INTENT_OUT_OF_SCOPE and float(best.get("confidence") or 0) > 0.5


def _suggestion(
    name: str, parse: Mapping[str, Any], domain: Domain, titled: bool
) -> tuple[str, str]:
    """An intent's title and payload; no title where it cannot be suggested."""
    intent = domain.intents.get(name)
    if intent is None or name in NEVER_OFFERED:
        return "", ""
    if titled and not intent.title:
        return "", ""
    if not intent.is_retrieval:
        return title_of(name, domain), f"/{name}"
    # Of a question with many answers, the one that came nearest.
    selected = (parse.get("response_selector") or {}).get(name) or {}
    key = str((selected.get("response") or {}).get("intent_response_key") or "")
    return (title_of(key, domain), f"/{key}") if "/" in key else ("", "")
