"""What a turn adds to the day's counters, and what they tell of a model on trial."""

from collections.abc import Mapping

from agent.dialogue.names import ACTION_DEFAULT_FALLBACK
from agent.turn import Turn

COMPARED = ("fallback", "unsure", "out_of_scope")
"""The counters that are kept apart, too, for what a model on trial heard."""
# What counts as in scope and as sure.
_IN_SCOPE, _SURE = 0.5, 0.7


def counters_of(turn: Turn) -> dict[str, int]:
    """What this turn adds to the day's counters."""
    heard = turn.understanding
    best = heard.intent
    counters = {f"intent:{best.intent}": 1} if best is not None else {}
    for label in {entity.label for entity in heard.entities}:
        counters[f"entity:{label}"] = 1
    if best is not None and heard.in_scope < _IN_SCOPE:
        counters["out_of_scope"] = 1
    if best is not None and best.confidence < _SURE:
        counters["unsure"] = 1
    if heard.shadow is not None:
        counters["shadow_turns"] = 1
        counters["shadow_disagreed"] = int(best is None or heard.shadow.intent != best.intent)
    fell_back = any(decision.action == ACTION_DEFAULT_FALLBACK for decision in turn.decisions)
    if fell_back and not turn.passages:
        counters["fallback"] = 1
    if heard.model_version not in (None, turn.model_version):
        # A canary heard it: counted once more apart, so that both models can be compared.
        counters |= {f"canary_{k}:{heard.model_version}": 1 for k in COMPARED if k in counters}
        counters[f"canary:{heard.model_version}"] = 1
    return counters


def compare(today: Mapping[str, int], model: str) -> dict[str, dict[str, int]]:
    """Today's turns, and how many of them fell back or were unsure, by who heard them.

    Args:
        today: the day's counters.
        model: the version that answers a share of the conversations.
    """
    canary = {name: today.get(f"canary_{name}:{model}", 0) for name in COMPARED}
    canary = {"turns": today.get(f"canary:{model}", 0), **canary}
    serving = {name: max(today.get(name, 0) - count, 0) for name, count in canary.items()}
    return {"canary": canary, "serving": serving}
