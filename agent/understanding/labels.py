"""What an understanding model knows besides its weights: labels, calibration, thresholds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.errors import ModelError
from agent.understanding.transitions import NO_TRANSITIONS, Transitions

FORMAT = 2
SPEC_FILE = "understanding.json"


@dataclass(frozen=True, slots=True, order=True)
class SpanType:
    """What a tagged span is: an entity label with its role and group, if it has any.

    >>> SpanType("city", role="from").key
    'city#from'
    """

    label: str
    role: str | None = None
    group: str | None = None

    @property
    def key(self) -> str:
        """One readable word for it: `label`, `label#role`, `label##group`."""
        role = f"#{self.role}" if self.role is not None else ""
        return self.label + role + (f"##{self.group}" if self.group is not None else "")


@dataclass(frozen=True, slots=True)
class ScopeModel:
    """A logistic score of how much a message is in scope; see `confidence.in_scope`.

    in_scope = sigmoid(bias + sum(weights * (features - mean) / scale)); `features` names
    the inputs in order (see `confidence.scope_features`); no feature means always 1.
    """

    features: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the agent stops being sure.

    Below `in_scope` (0..1) a message counts as out of scope; two best intents closer than
    `ambiguity` (probability difference) are ambiguous. `fallback` and
    `fallback_ambiguity` are those of the project's FallbackClassifier, None without one;
    without one, `in_scope` makes a message fall back if `scope_decides`. Confidences in scope are
    raised to `sharpness` (>= 1) before the project's thresholds (see `confidence.sharpen`).
    """

    in_scope: float = 0.5
    ambiguity: float = 0.0
    fallback: float | None = None
    fallback_ambiguity: float | None = None
    scope_decides: bool = True
    sharpness: float = 1.0


@dataclass(frozen=True, slots=True)
class Spec:
    """The content of `understanding.json`; the order of labels is that of the outputs.

    `classes` are the columns of the intent logits: intents, and response keys
    (`faq/fees`) in the place of their retrieval intent. `intents` and `responses` are what
    follows from them. `temperatures` maps an output (`intent`, `head_<name>`) to the positive
    number its logits are divided by. `tags` are `O`, then `B-` and `I-` of each span type.
    `casing`: the network is told how words are written (see `agent.understanding.casing`).
    `transitions`: how the training data's tags follow each other.
    """

    classes: tuple[str, ...] = ()
    intents: tuple[str, ...] = field(init=False)
    responses: tuple[str, ...] = field(init=False)
    span_types: tuple[SpanType, ...] = ()
    heads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    temperatures: Mapping[str, float] = field(default_factory=dict)
    scope: ScopeModel = ScopeModel()
    thresholds: Thresholds = Thresholds()
    max_tokens: int = 128
    encoder: str = ""
    method: str = ""
    patterns: Mapping[str, Any] = field(default_factory=dict)
    casing: bool = False
    transitions: Transitions = NO_TRANSITIONS

    def __post_init__(self) -> None:
        intents = sorted({intent_of(name) for name in self.classes})
        object.__setattr__(self, "intents", tuple(intents))
        keys = tuple(name for name in self.classes if intent_of(name) != name)
        object.__setattr__(self, "responses", keys)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tag of each column of `entity_logits`; empty without entities."""
        if not self.span_types:
            return ()
        return ("O", *(f"{mark}-{kind.key}" for kind in self.span_types for mark in "BI"))

    def temperature(self, output: str) -> float:
        """The temperature of an output, 1 if it was not calibrated."""
        return float(self.temperatures.get(output, 1.0))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, with the format's version."""
        return {
            "format": FORMAT,
            "encoder": self.encoder,
            "method": self.method,
            "max_tokens": self.max_tokens,
            "casing": self.casing,
            "classes": list(self.classes),
            "tags": list(self.tags),
            "entity_types": [
                {"label": t.label, "role": t.role, "group": t.group} for t in self.span_types
            ],
            "heads": {name: list(labels) for name, labels in self.heads.items()},
            "temperature": self.temperature("intent"),
            "temperatures": dict(self.temperatures),
            "oos": {
                "features": list(self.scope.features),
                "mean": list(self.scope.mean),
                "scale": list(self.scope.scale),
                "weights": list(self.scope.weights),
                "bias": self.scope.bias,
            },
            "thresholds": {
                "in_scope": self.thresholds.in_scope,
                "ambiguity": self.thresholds.ambiguity,
                "fallback": self.thresholds.fallback,
                "fallback_ambiguity": self.thresholds.fallback_ambiguity,
                "scope_decides": self.thresholds.scope_decides,
                "sharpness": self.thresholds.sharpness,
            },
            "transitions": {
                "counts": list(self.transitions.counts),
                "pairs": [list(pair) for pair in self.transitions.pairs],
                "weight": self.transitions.weight,
            },
            "patterns": dict(self.patterns),
        }


def intent_of(name: str) -> str:
    """The intent of a class: what stands before the first slash.

    >>> intent_of("faq/fees"), intent_of("greet")
    ('faq', 'greet')
    """
    return name.partition("/")[0]


def save_spec(spec: Spec, folder: Path) -> None:
    """Write `understanding.json` into the folder."""
    text = json.dumps(spec.to_json(), ensure_ascii=False, indent=1)
    (folder / SPEC_FILE).write_text(text + "\n", encoding="utf-8")


def load_spec(folder: Path) -> Spec:
    """Read `understanding.json`.

    Raises:
        ModelError: it is missing, truncated, incomplete or of another format version.
    """
    path = folder / SPEC_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder} is no model folder: {SPEC_FILE} is missing") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); train the model again") from error
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        raise ModelError(
            f"{path} has format {version!r}, this program reads {FORMAT}; train the model again"
        )
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} is incomplete ({error!r}); train the model again") from error


def _parse(document: Mapping[str, Any]) -> Spec:
    scope = document["oos"]
    names = tuple(scope["features"])
    numbers = {k: tuple(float(x) for x in scope[k]) for k in ("mean", "scale", "weights")}
    if any(len(values) != len(names) for values in numbers.values()):
        raise ValueError("`oos` has lists of different length")
    limits = document["thresholds"]
    return Spec(
        classes=tuple(document["classes"]),
        span_types=tuple(
            SpanType(t["label"], t.get("role"), t.get("group")) for t in document["entity_types"]
        ),
        heads={name: tuple(labels) for name, labels in document["heads"].items()},
        temperatures={name: float(t) for name, t in document["temperatures"].items()},
        scope=ScopeModel(names, **numbers, bias=float(scope["bias"])),
        thresholds=Thresholds(
            in_scope=float(limits["in_scope"]),
            ambiguity=float(limits["ambiguity"]),
            fallback=limits.get("fallback"),
            fallback_ambiguity=limits.get("fallback_ambiguity"),
            scope_decides=bool(limits.get("scope_decides", True)),
            sharpness=float(limits.get("sharpness", 1.0)),
        ),
        max_tokens=int(document["max_tokens"]),
        encoder=document["encoder"],
        method=document["method"],
        patterns=document["patterns"],
        casing=bool(document.get("casing", False)),
        transitions=_parse_transitions(document.get("transitions") or {}, document["tags"]),
    )


def _parse_transitions(document: Mapping[str, Any], tags: Sequence[str]) -> Transitions:
    counts = tuple(int(count) for count in document.get("counts", ()))
    pairs = tuple((int(b), int(a), int(n)) for b, a, n in document.get("pairs", ()))
    if counts and len(counts) != len(tags):
        raise ValueError("`transitions` counts other tags")
    if any(not (0 <= b < len(counts) and 0 <= a < len(counts)) for b, a, _ in pairs):
        raise ValueError("`transitions` names a tag that there is not")
    return Transitions(counts, pairs, float(document.get("weight", 0.0)))
