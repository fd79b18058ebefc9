"""States as tokens: what the learned policy reads of a conversation."""

from collections.abc import Iterator, Sequence

from agent.dialogue.featurizer import State


def state_tokens(states: Sequence[State]) -> list[list[str]]:
    """The tokens of each state, oldest first.

    A state shows its intent, entities, loop, set slots with their features, the last action,
    that action together with the intent, and with the action before it.
    """
    return [
        list(_tokens(state, before))
        for before, state in zip([State(), *states], states, strict=False)
    ]


def intent_token(state: State) -> str | None:
    """The token of the state's intent, None if it has none."""
    return f"intent={state.intent}" if state.intent else None


def _tokens(state: State, before: State) -> Iterator[str]:
    action = state.action or state.action_text or ""
    intent = intent_token(state)
    if intent:
        yield intent
        yield f"{intent} after {action}"
    yield from (f"entity={label}" for label in state.entities)
    yield f"loop={state.loop or ''}"
    for name, feature in state.slots:
        shown = feature if isinstance(feature, str) else ",".join(f"{x:.2g}" for x in feature)
        yield f"slot {name}={shown}"
    if action:
        yield f"action={action}"
        yield f"action={action} after {before.action or before.action_text or ''}"
