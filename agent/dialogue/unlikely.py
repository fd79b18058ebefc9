"""Out-of-line intents: messages that no story expects where they come."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from agent.dialogue.events import ActionExecuted, UserUttered
from agent.dialogue.names import ACTION_LISTEN, ACTION_UNLIKELY_INTENT
from agent.dialogue.rule_training import action_of
from agent.dialogue.scripts import Script
from agent.dialogue.tracker import Tracker
from agent.project.types import PolicyConfig

UNLIKELY_POLICY = "UnexpecTEDIntentPolicy"

Followers = Mapping[str, tuple[str, ...]]
"""For each action ("" at the start) the intents that a story has right after it."""


def expected_intents(
    stories: Sequence[Script], rules: Sequence[Script], config: PolicyConfig
) -> Followers:
    """What the stories expect after each action.

    Empty unless the project has Rasa's policy for it and a story or rule that reacts to
    `action_unlikely_intent`: where nothing reacts, noticing changes nothing.
    """
    wanted = not config.names or UNLIKELY_POLICY in config.names
    if not wanted or not any(_reacts(script) for script in (*stories, *rules)):
        return {}
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for script in stories:
        before = ""
        for event in script.events:
            if isinstance(event, UserUttered) and event.intent:
                found[before][event.intent] = None
            elif isinstance(event, ActionExecuted) and event.name != ACTION_LISTEN:
                before = action_of(event)
    return {action: tuple(intents) for action, intents in found.items()}


def is_unlikely(tracker: Tracker, followers: Followers) -> bool:
    """Whether the latest message's intent is known to the stories, but not expected here."""
    now = tracker.situation
    if now.action != ACTION_LISTEN or now.intent is None:
        return False
    expected = followers.get(_action_before_listening(tracker))
    if expected is None or now.intent in expected:
        return False
    return any(now.intent in intents for intents in followers.values())


def _action_before_listening(tracker: Tracker) -> str:
    names = (action_of(frame.event) for frame in reversed(tracker.frames))
    return next((name for name in names if name != ACTION_LISTEN), "")


def _reacts(script: Script) -> bool:
    actions = (event for event in script.events if isinstance(event, ActionExecuted))
    return any(event.name == ACTION_UNLIKELY_INTENT for event in actions)
