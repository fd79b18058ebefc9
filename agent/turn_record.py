"""A Turn as plain JSON: what the turn log keeps and `agent chat --json` prints."""

from collections.abc import Iterable
from typing import Any

from agent.turn import DOORS, Decision, Message, Proposal, Reply, Turn, Understanding
from agent.understanding.rasa_format import parse_result
from knowledge.passage import ScoredPassage

FORMAT = 1
_RANKED = 10


def turn_record(turn: Turn) -> dict[str, Any]:
    """The turn with everything needed to review it; times are ISO 8601 in UTC."""
    return {
        "format": FORMAT,
        "id": turn.id,
        "message": _message(turn.message),
        "understanding": _understanding(turn.understanding),
        "decisions": [_decision(decision) for decision in turn.decisions],
        "replies": [_reply(reply) for reply in turn.replies],
        "passages": _passages(turn.passages),
        "prompts": dict(turn.prompts),
        "model_version": turn.model_version,
        "took_ms": round(turn.took_ms, 3),
        "stages_ms": {name: round(ms, 3) for name, ms in turn.stages_ms.items()},
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "text": message.text,
        "channel": message.channel,
        "metadata": dict(message.metadata),
        "received_at": message.received_at.isoformat(),
    }


def _understanding(understanding: Understanding) -> dict[str, Any]:
    record = parse_result(understanding, responses=False, ranked=_RANKED)
    responses = {
        name: [{"name": s.intent, "confidence": round(s.confidence, 6)} for s in scores[:3]]
        for name, scores in understanding.responses.items()
    }
    if responses:
        record["responses"] = responses
    if understanding.proposal is not None:
        record["proposal"] = _proposal(understanding.proposal)
    record["model_version"] = understanding.model_version
    if understanding.shadow is not None:
        shadow = understanding.shadow
        record["shadow"] = {"name": shadow.intent, "confidence": round(shadow.confidence, 6)}
    record["neighbours"] = [
        {
            "correction_id": n.correction_id,
            "intent": n.intent,
            "similarity": round(n.similarity, 4),
            "exact": n.exact,
            "weight": round(n.weight, 4),
        }
        for n in understanding.neighbours
    ]
    return record


def _proposal(proposal: Proposal) -> dict[str, Any]:
    return {
        "intent": proposal.intent,
        "entities": [
            {"entity": e.label, "start": e.start, "end": e.end, "value": e.value}
            for e in proposal.entities
        ],
        "trust": round(proposal.trust, 4),
        "used": proposal.used,
        "prompt": proposal.prompt,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "action": decision.action,
        "policy": decision.policy,
        "confidence": round(decision.confidence, 6),
        "reason": decision.reason,
    }


def _reply(reply: Reply) -> dict[str, Any]:
    record: dict[str, Any] = {"recipient": reply.recipient, "text": reply.text}
    if reply.buttons:
        record["buttons"] = [{"title": b.title, "payload": b.payload} for b in reply.buttons]
    if reply.metadata.get(DOORS):
        record[DOORS] = True
    for name in ("image", "attachment", "custom"):
        if getattr(reply, name) is not None:
            record[name] = getattr(reply, name)
    if reply.elements:
        record["elements"] = list(reply.elements)
    if reply.passages:
        record["sources"] = [
            {
                "title": scored.passage.title,
                "url": scored.passage.metadata.get("url"),
                "document_id": scored.passage.document_id,
                "start": scored.passage.start,
                "end": scored.passage.end,
            }
            for scored in reply.passages
        ]
    return record


def _passages(passages: Iterable[ScoredPassage]) -> list[dict[str, Any]]:
    return [
        {
            "id": scored.passage.id,
            "document_id": scored.passage.document_id,
            "title": scored.passage.title,
            "score": round(scored.score, 6),
        }
        for scored in passages
    ]
