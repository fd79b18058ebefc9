"""An Understanding as Rasa's parse result, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.turn import Entity, IntentScore, Understanding


def parse_result(
    understanding: Understanding, *, responses: bool = True, ranked: int | None = None
) -> dict[str, Any]:
    """What Rasa's `/model/parse` answers, with `in_scope`, `source` and a proposal added.

    Without `responses` the response selector is left out; `ranked` is how many intents and
    response keys are listed, the best first (None: all).
    """
    ranking = [_intent(score) for score in understanding.ranking[:ranked]]
    result: dict[str, Any] = {
        "text": understanding.text,
        "intent": ranking[0] if ranking else {"name": None, "confidence": 0.0},
        "entities": [_entity(entity) for entity in understanding.entities],
        "intent_ranking": ranking,
        "in_scope": round(understanding.in_scope, 6),
        "source": understanding.source,
    }
    if responses and understanding.responses:
        result["response_selector"] = response_selector(understanding.responses, ranked)
    if understanding.heads:
        result["heads"] = {
            name: [_intent(score) for score in scores]
            for name, scores in understanding.heads.items()
        }
    if understanding.answer is not None:
        result["answer"] = understanding.answer
    proposal = understanding.proposal
    if proposal is not None and proposal.intent is not None:
        result["proposal"] = {"intent": proposal.intent, "trust": round(proposal.trust, 6)}
    return result


def response_selector(
    responses: Mapping[str, Sequence[IntentScore]], ranked: int | None = None
) -> dict[str, Any]:
    """Rasa's `response_selector` object; the texts themselves are filled in by the domain."""
    result: dict[str, Any] = {
        "all_retrieval_intents": sorted(name for name in responses if name != "default")
    }
    for name, scores in responses.items():
        if not scores:
            continue
        best = scores[0]
        result[name] = {
            "response": {
                "responses": [],
                "confidence": best.confidence,
                "intent_response_key": best.intent,
                "utter_action": f"utter_{best.intent}",
            },
            "ranking": [
                {"confidence": s.confidence, "intent_response_key": s.intent}
                for s in scores[:ranked]
            ],
        }
    return result


def understanding_from_parse(data: Mapping[str, Any]) -> Understanding:
    """An Understanding from a parse result that somebody else made."""
    ranking = data.get("intent_ranking") or []
    if not ranking and (data.get("intent") or {}).get("name"):
        ranking = [data["intent"]]
    text = data.get("text") or ""
    return Understanding(
        text=text,
        ranking=tuple(
            IntentScore(str(r["name"]), float(r.get("confidence", 1.0))) for r in ranking
        ),
        entities=tuple(_read_entity(e, text) for e in data.get("entities") or ()),
        in_scope=float(data.get("in_scope", 1.0)),
        source=str(data.get("source", "model")),
        answer=data.get("answer"),
    )


def _intent(score: IntentScore) -> dict[str, Any]:
    return {"name": score.intent, "confidence": round(score.confidence, 6)}


def _entity(entity: Entity) -> dict[str, Any]:
    result: dict[str, Any] = {
        "entity": entity.label,
        "start": entity.start,
        "end": entity.end,
        "value": entity.value,
    }
    if entity.confidence is not None:
        result["confidence_entity"] = round(entity.confidence, 6)
    if entity.role is not None:
        result["role"] = entity.role
    if entity.group is not None:
        result["group"] = entity.group
    if entity.extractor is not None:
        result["extractor"] = entity.extractor
    if entity.additional_info is not None:
        result |= {"text": entity.text, "additional_info": dict(entity.additional_info)}
        result.setdefault("confidence", 1.0 if entity.confidence is None else entity.confidence)
    return result


def _read_entity(data: Mapping[str, Any], text: str) -> Entity:
    start, end = int(data.get("start") or 0), int(data.get("end") or 0)
    return Entity(
        label=str(data["entity"]),
        start=start,
        end=end,
        text=text[start:end],
        value=data.get("value"),
        role=data.get("role"),
        group=data.get("group"),
        confidence=data.get("confidence_entity"),
        extractor=data.get("extractor"),
        additional_info=data.get("additional_info"),
    )
