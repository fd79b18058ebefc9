"""What a language model proposes that a message means, where the network is unsure."""

import json
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent.errors import GeneratorError
from agent.feedback.correction import Correction
from agent.feedback.names import LANGUAGE_MODEL, mask_message
from agent.project.types import Domain
from agent.prompts.generator import Generator
from agent.prompts.templates import Templates
from agent.turn import FALLBACK_INTENT, OOS_INTENT, Entity, Proposal, Understanding
from agent.understanding.interpreter import Interpreter
from agent.understanding.memory import fold, with_intent
from agent.understanding.track_record import TrackRecord

EXTRACTOR = LANGUAGE_MODEL
PROMPT = "understand"
NONE = "none"
_INTENTS = 40
_EXAMPLES = 2
_CORRECTIONS = 5
_CACHED = 1000
_MAX_ENTITIES = 20
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Proposer:
    """Asks a language model about messages that fell back, and says how far it is believed.

    Args:
        generator: the model, which says in time that it has no answer.
        templates: holds the prompt `understand`.
        record: what it proposed, and how often reviewers agreed.
        allowed: whether one more call is left today, which is then spent.
        least_trust: share in [0, 1] of agreement from which a proposal decides.
    """

    generator: Generator
    templates: Templates
    record: TrackRecord
    allowed: Callable[[], bool]
    least_trust: float
    _cache: OrderedDict[tuple[str, str, str], Proposal] = field(default_factory=OrderedDict)

    async def consult(
        self, heard: Understanding, interpreter: Interpreter, domain: Domain
    ) -> Understanding:
        """The understanding with a proposal, where it fell back and the model has one.

        Below the trust that it needs, a proposal changes nothing but `proposal`. A model that
        fails, is too slow or answers nonsense costs the message nothing else.
        """
        if heard.intent is None or heard.intent.intent != FALLBACK_INTENT or heard.answer:
            return heard
        try:
            proposal = await self._propose(heard, interpreter, domain)
        except GeneratorError as error:
            _log.warning("no proposal: %s", error)
            return heard
        return heard if proposal is None else self._believed(heard, proposal)

    def judge(self, correction: Correction) -> None:
        """Take in what a reviewer decided, so that the trust follows it."""
        self.record.judge(correction)

    async def _propose(
        self, heard: Understanding, interpreter: Interpreter, domain: Domain
    ) -> Proposal | None:
        version = self.templates[PROMPT].version
        key = (fold(heard.text), version, heard.model_version or "")
        if key in self._cache:
            self._cache.move_to_end(key)
            return _located(self._cache[key], heard.text)
        if not self.allowed():
            return None
        names = _offered(heard, interpreter)
        prompt = self.templates.render(
            PROMPT,
            intents=[_described(name, interpreter, domain) for name in names],
            entities=[
                {"name": one.name, "description": one.description}
                for one in domain.entities.values()
            ],
            corrections=_corrections(heard.text, interpreter),
        )
        said = await self.generator.generate(prompt.text, heard.text)
        proposal = read_proposal(said, heard.text, names, list(domain.entities), version)
        self._cache[key] = proposal
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        masked = mask_message(heard.text, heard.entities, interpreter.names)
        self.record.note(masked.text, proposal.intent)
        return proposal

    def _believed(self, heard: Understanding, proposal: Proposal) -> Understanding:
        """The understanding with the proposal, which decides if it is trusted enough."""
        trust = self.record.trust()
        used = proposal.intent is not None and trust >= self.least_trust
        proposal = replace(proposal, trust=trust, used=used)
        if not used or proposal.intent is None:
            return replace(heard, proposal=proposal)
        ranking = tuple(score for score in heard.ranking if score.intent != FALLBACK_INTENT)
        moved = with_intent(replace(heard, ranking=ranking), proposal.intent, trust)
        taken = [(entity.start, entity.end) for entity in heard.entities]
        further = [
            entity
            for entity in proposal.entities
            if not any(entity.start < end and start < entity.end for start, end in taken)
        ]
        return replace(
            moved,
            entities=(*heard.entities, *further),
            in_scope=max(heard.in_scope, trust),
            source="proposal",
            proposal=proposal,
        )


def read_proposal(
    said: str, text: str, names: Sequence[str], labels: Sequence[str], version: str
) -> Proposal:
    """A proposal from the model's JSON, checked against what was offered.

    Entities with an unknown label, or words that the message has not, are left out.

    Raises:
        GeneratorError: no JSON object, or an intent that was not offered.
    """
    match = _OBJECT.search(said)
    try:
        data = json.loads(match[0]) if match else None
    except (ValueError, RecursionError) as error:
        raise GeneratorError(f"the model's proposal is no JSON: {said[:120]!r}") from error
    if not isinstance(data, dict):
        raise GeneratorError(f"the model's proposal is no JSON object: {said[:120]!r}")
    intent = data.get("intent")
    if intent in (None, "", NONE):
        return Proposal(None, prompt=f"{PROMPT}@{version}")
    if intent not in names:
        raise GeneratorError(f"the model proposes an intent that there is not: {intent!r:.120}")
    given = data.get("entities")
    entities = _entities(given if isinstance(given, list) else [], text, labels)
    return Proposal(str(intent), entities, prompt=f"{PROMPT}@{version}")


def _entities(given: Sequence[Any], text: str, labels: Sequence[str]) -> tuple[Entity, ...]:
    found: list[Entity] = []
    for one in given[:_MAX_ENTITIES]:
        label, words = (one.get("label"), one.get("text")) if isinstance(one, dict) else (0, 0)
        if label not in labels or not isinstance(words, str) or not words.strip():
            continue
        start = text.find(words)
        end = start + len(words)
        if start >= 0 and not any(start < e.end and e.start < end for e in found):
            found.append(Entity(str(label), start, end, words, words, extractor=EXTRACTOR))
    return tuple(sorted(found, key=lambda entity: entity.start))


def _located(proposal: Proposal, text: str) -> Proposal:
    """A remembered proposal for a text of perhaps another spelling: what stands there stays."""
    kept = tuple(e for e in proposal.entities if text[e.start : e.end] == e.text)
    return replace(proposal, entities=kept)


def _offered(heard: Understanding, interpreter: Interpreter) -> list[str]:
    """The intents that the network ranks highest, and the answers of those that have some."""
    keys = interpreter.spec.responses
    names = [s.intent for s in heard.ranking if s.intent not in (FALLBACK_INTENT, OOS_INTENT)]
    offered: list[str] = []
    for name in names[:_INTENTS]:
        own = [key for key in keys if key.startswith(f"{name}/")]
        offered += own or [name]
    return offered


def _described(name: str, interpreter: Interpreter, domain: Domain) -> dict[str, Any]:
    intent, _, key = name.partition("/")
    known = domain.intents.get(intent)
    title = (known.answer_titles.get(key) if key else known.title) if known else None
    examples = interpreter.network.examples
    texts = [t for t, i in zip(examples.texts, examples.intents, strict=True) if i == intent]
    return {
        "name": name,
        "description": title if key else (known.description if known else None) or title,
        "examples": [] if key else texts[:_EXAMPLES],
    }


def _corrections(text: str, interpreter: Interpreter) -> list[dict[str, str]]:
    """The accepted corrections that are most like a message."""
    memory = interpreter.memory
    if memory is None or not len(memory):
        return []
    nearest = memory.nearest(interpreter.encode([text])[0], _CORRECTIONS)
    return [{"text": one.text, "intent": one.intent} for one in nearest if one.intent]
