"""Where a conversation stands: a value that each event turns into the next."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from agent.dialogue.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActiveLoop,
    AllSlotsReset,
    ConversationPaused,
    ConversationResumed,
    EntitiesAdded,
    Event,
    FollowupAction,
    LoopInterrupted,
    Restarted,
    SessionStarted,
    SlotSet,
    UserFeaturized,
    UserUttered,
)
from agent.dialogue.featurizer import Featurizer, Slots, State
from agent.dialogue.names import ACTION_LISTEN, ACTION_SESSION_START, SHOULD_NOT_BE_SET
from agent.dialogue.slots import stored_value


class Loop(NamedTuple):
    """The active loop; `trigger` is the parse data of the message that opened it."""

    name: str
    is_interrupted: bool = False
    rejected: bool = False
    trigger: Mapping[str, Any] | None = None


class Situation(NamedTuple):
    """Everything that the past events add up to. Its mappings are never changed in place.

    `slots` holds all slots' values, `set_slots` those set since the last reset,
    `features` what the policies see of them; `by_text` says whether the latest message
    counts by its text (True), its intent (False) or is undecided (None).
    """

    slots: Mapping[str, Any]
    features: Slots
    set_slots: frozenset[str] = frozenset()
    message: UserUttered | None = None
    intent: str | None = None
    entities: tuple[str, ...] = ()
    by_text: bool | None = None
    action: str | None = None
    action_text: str | None = None
    loop: Loop | None = None
    followup: str | None = ACTION_LISTEN
    paused: bool = False

    @property
    def action_name(self) -> str | None:
        """The latest action, by its name or (end to end) its text."""
        return self.action or self.action_text

    @property
    def loop_name(self) -> str | None:
        """The active loop's name, None where a rule says that none may be active."""
        return self.loop.name if self.loop and self.loop.name != SHOULD_NOT_BE_SET else None

    def state(self) -> State:
        """What the policies see of it. Text counts where there is no intent."""
        text = self.message.text if self.message else None
        if self.by_text:
            return self._state(None, text, ())
        return self._state(self.intent, None if self.intent else text, self.entities)

    def text_state(self) -> State:
        """The same with the latest message seen by its text alone."""
        return self._state(None, self.message.text if self.message else None, ())

    def _state(self, intent: str | None, text: str | None, entities: tuple[str, ...]) -> State:
        loop = self.loop.name if self.loop else None
        features = self.features
        return State(intent, text or None, entities, self.action, self.action_text, loop, features)


def first_situation(featurizer: Featurizer) -> Situation:
    """Before anything happened."""
    return Situation(featurizer.initial_slots, featurizer.initial_features)


def after_event(situation: Situation, event: Event, featurizer: Featurizer) -> Situation:
    """The situation after an event; events that say nothing about it leave it as it is.

    `rewind` and `undo` need the past, so the tracker sees to them.
    """
    step = _STEPS.get(type(event))
    return step(situation, event, featurizer) if step else situation


def _user(now: Situation, event: UserUttered, featurizer: Featurizer) -> Situation:
    intent, entities = featurizer.message(event)
    by_text = True if event.text and not intent else None
    return now._replace(
        message=event, intent=intent, entities=entities, by_text=by_text, followup=None
    )


def _user_featurized(now: Situation, event: UserFeaturized, featurizer: Featurizer) -> Situation:
    if now.action != ACTION_LISTEN or now.message is None:
        return now
    return now._replace(by_text=event.use_text_for_featurization)


def _entities_added(now: Situation, event: EntitiesAdded, featurizer: Featurizer) -> Situation:
    if now.action != ACTION_LISTEN or now.message is None:
        return now
    known = now.message.entities
    added = [entity for entity in event.entities if entity not in known]
    if not added:
        return now
    message = with_parse_data(now.message, entities=[*known, *added])
    return now._replace(message=message, entities=featurizer.message(message)[1])


def _slot_set(now: Situation, event: SlotSet, featurizer: Featurizer) -> Situation:
    slot = featurizer.slots.get(event.name)
    if slot is None:
        return now
    value = stored_value(slot, event.value)
    return now._replace(
        slots={**now.slots, event.name: value},
        features=featurizer.with_feature(now.features, event.name, value),
        set_slots=now.set_slots | {event.name},
    )


def _all_slots_reset(now: Situation, event: AllSlotsReset, featurizer: Featurizer) -> Situation:
    return now._replace(
        slots=featurizer.initial_slots,
        features=featurizer.initial_features,
        set_slots=frozenset(),
    )


def _action(now: Situation, event: ActionExecuted, featurizer: Featurizer) -> Situation:
    loop = now.loop
    if loop is not None and loop.name != SHOULD_NOT_BE_SET:
        rejected = loop.rejected and event.name != loop.name
        loop = loop._replace(is_interrupted=False, rejected=rejected)
    text = None if event.name else event.action_text
    return now._replace(action=event.name or None, action_text=text, loop=loop, followup=None)


def _active_loop(now: Situation, event: ActiveLoop, featurizer: Featurizer) -> Situation:
    if event.name is None:
        return now._replace(loop=None)
    trigger = now.message.parse_data if now.message else None
    return now._replace(loop=Loop(event.name, trigger=trigger))


def _interrupted(now: Situation, event: LoopInterrupted, featurizer: Featurizer) -> Situation:
    if now.loop is None:
        return now
    return now._replace(loop=now.loop._replace(is_interrupted=event.is_interrupted))


def _rejected(now: Situation, event: ActionExecutionRejected, featurizer: Featurizer) -> Situation:
    if now.loop and now.loop_name == event.name:
        now = now._replace(loop=now.loop._replace(rejected=True))
    # A follow-up that declined is spent: Rasa forgets it when it predicts it.
    return now._replace(followup=None) if now.followup == event.name else now


def _restarted(now: Situation, event: Restarted, featurizer: Featurizer) -> Situation:
    return first_situation(featurizer)._replace(followup=ACTION_SESSION_START)


def _session_started(now: Situation, event: SessionStarted, featurizer: Featurizer) -> Situation:
    return first_situation(featurizer)


def _followup(now: Situation, event: FollowupAction, featurizer: Featurizer) -> Situation:
    return now._replace(followup=event.name)


def _paused(now: Situation, event: ConversationPaused, featurizer: Featurizer) -> Situation:
    return now._replace(paused=True)


def _resumed(now: Situation, event: ConversationResumed, featurizer: Featurizer) -> Situation:
    return now._replace(paused=False)


def with_parse_data(message: UserUttered, **changes: Any) -> UserUttered:
    """The same message with some keys of its parse data replaced."""
    return UserUttered(
        timestamp=message.timestamp,
        metadata=message.metadata,
        text=message.text,
        parse_data={**message.parse_data, **changes},
        input_channel=message.input_channel,
        message_id=message.message_id,
    )


_STEPS: dict[type[Event], Callable[[Situation, Any, Featurizer], Situation]] = {
    UserUttered: _user,
    UserFeaturized: _user_featurized,
    EntitiesAdded: _entities_added,
    SlotSet: _slot_set,
    AllSlotsReset: _all_slots_reset,
    ActionExecuted: _action,
    ActiveLoop: _active_loop,
    LoopInterrupted: _interrupted,
    ActionExecutionRejected: _rejected,
    Restarted: _restarted,
    SessionStarted: _session_started,
    FollowupAction: _followup,
    ConversationPaused: _paused,
    ConversationResumed: _resumed,
}
