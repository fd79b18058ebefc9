"""What the policies see of a moment in a conversation: the State."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from agent.dialogue.events import UserUttered
from agent.dialogue.names import BUILTIN_INTENTS
from agent.dialogue.slots import Feature, domain_slots, slot_feature
from agent.project.types import Domain, Intent, Slot

Slots = tuple[tuple[str, Feature], ...]


class State(NamedTuple):
    """One moment, as Rasa's policies see it: the message, the last action, loop and slots.

    `text` stands only where there is no intent (or where the text chose the action);
    `action` and `action_text` are both None at the start of a conversation; `slots` are
    the set, featurized ones in the domain's order; `loop` may be `should_not_be_set`.
    """

    intent: str | None = None
    text: str | None = None
    entities: tuple[str, ...] = ()
    action: str | None = None
    action_text: str | None = None
    loop: str | None = None
    slots: Slots = ()

    @property
    def is_start(self) -> bool:
        """Whether nothing has been done yet."""
        return self.action is None and self.action_text is None

    def to_json(self) -> dict[str, Any]:
        """The state in Rasa's nesting, without what is empty."""
        user = {"intent": self.intent, "text": self.text, "entities": list(self.entities)}
        previous = {"action_name": self.action, "action_text": self.action_text}
        slots = {name: f if isinstance(f, str) else list(f) for name, f in self.slots}
        parts = {
            "user": {k: v for k, v in user.items() if v},
            "prev_action": {k: v for k, v in previous.items() if v},
            "active_loop": {"name": self.loop} if self.loop else {},
            "slots": slots,
        }
        return {k: v for k, v in parts.items() if v}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "State":
        """The state that `to_json` wrote."""
        user, previous = data.get("user", {}), data.get("prev_action", {})
        slots = (
            (k, f if isinstance(f, str) else tuple(f)) for k, f in data.get("slots", {}).items()
        )
        return cls(
            intent=user.get("intent"),
            text=user.get("text"),
            entities=tuple(user.get("entities", ())),
            action=previous.get("action_name"),
            action_text=previous.get("action_text"),
            loop=data.get("active_loop", {}).get("name"),
            slots=tuple(slots),
        )


def states_length(states: Sequence[State]) -> int:
    """How long Rasa's JSON text of these states is: of two matching rules, it takes the longer."""
    return len(json.dumps([state.to_json() for state in states], sort_keys=True))


class Featurizer:
    """Turns messages and slot values into parts of a State, for one domain."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.slots: dict[str, Slot] = domain_slots(domain)
        self.initial_slots = {name: slot.initial_value for name, slot in self.slots.items()}
        self.initial_features = self._initial_features()
        self._order = {name: i for i, name in enumerate(self.slots)}
        self._used_entities: dict[str | None, frozenset[str] | None] = {}

    def message(self, event: UserUttered) -> tuple[str | None, tuple[str, ...]]:
        """Intent and the sorted entity labels (with `label#role`, `label#group`) that count."""
        intent = event.intent
        labels = _entity_labels(event.entities)
        wanted = self._wanted(intent)
        used = labels if wanted is None else labels & wanted
        return intent, tuple(sorted(used))

    def with_feature(self, features: Slots, name: str, value: Any) -> Slots:
        """The features after a slot took a value."""
        slot = self.slots.get(name)
        if slot is None or not slot.influence_conversation:
            return features
        new = slot_feature(slot, value)
        kept = [pair for pair in features if pair[0] != name]
        if new:
            kept.append((name, new))
            kept.sort(key=lambda pair: self._order[pair[0]])
        return tuple(kept)

    def _initial_features(self) -> Slots:
        found = ((n, slot_feature(s, s.initial_value)) for n, s in self.slots.items())
        return tuple((name, feature) for name, feature in found if feature)

    def _wanted(self, intent: str | None) -> frozenset[str] | None:
        """The entity labels that count for an intent; None: all of them (unknown intent)."""
        if intent not in self._used_entities:
            self._used_entities[intent] = self._used_labels(intent)
        return self._used_entities[intent]

    def _used_labels(self, intent: str | None) -> frozenset[str] | None:
        domain = self.domain
        known = domain.intents.get(intent) if intent else None
        if known is None:
            if intent not in BUILTIN_INTENTS:
                return None
            known = Intent(name=str(intent))
        quiet = {e.name for e in domain.entities.values() if not e.influence_conversation}
        if known.use_entities is None:
            names = set(domain.entities) - quiet
            # Rasa adds the roles and groups of every entity, quiet ones too.
            included = names | self._sub_labels(domain.entities)
        else:
            included = set(known.use_entities) | self._sub_labels(known.use_entities)
        ignored = set(known.ignore_entities) or quiet
        return frozenset(included - ignored - self._sub_labels(ignored))

    def _sub_labels(self, names: Iterable[str]) -> set[str]:
        types = (self.domain.entities[name] for name in names if name in self.domain.entities)
        return {f"{t.name}#{sub}" for t in types for sub in (*t.roles, *t.groups)}


def _entity_labels(entities: Sequence[Mapping[str, Any]]) -> set[str]:
    labels = set()
    for entity in entities:
        label = entity.get("entity")
        if label is None:
            continue
        labels.add(str(label))
        labels.update(f"{label}#{entity[key]}" for key in ("role", "group") if entity.get(key))
    return labels


_RECENT: list[Featurizer] = []
_KEPT = 8


def featurizer_for(domain: Domain) -> Featurizer:
    """The domain's featurizer, built once for the domains in use."""
    for featurizer in _RECENT:
        if featurizer.domain is domain:
            return featurizer
    featurizer = Featurizer(domain)
    _RECENT.insert(0, featurizer)
    del _RECENT[_KEPT:]
    return featurizer
