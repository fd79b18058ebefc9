"""How a challenger is made: on from the champion with replay, or from scratch."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from agent.errors import ModelError
from agent.project import NluData, Project
from agent.project.types import Example
from agent.understanding.labels import Spec, load_spec
from training.assemble_model import describe, train_into
from training.corpus import is_intent, stable_order
from training.options import TrainOptions

# A network that already knows the task needs a look or two at everything, not a whole course.
CONTINUED_EPOCHS = 2
CONTINUED_RATE = 1e-4
# From this share of changed intents on the champion is no good beginning.
MOST_CHANGED = 0.3
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: `beginning` says from where, `reason` why."""

    beginning: Literal["champion", "scratch"]
    reason: str
    options: TrainOptions
    nlu: NluData


def plan(nlu: NluData, champion: Path, options: TrainOptions, *, replay: int) -> Plan:
    """Whether a challenger goes on from the champion, and on which data.

    The champion's network is the beginning if it has one of the same encoder and no more than
    `MOST_CHANGED` of the intents came or went. Intents new to it get a row of their own in the
    heads, which start from a logistic regression on the network's features. A compressed
    champion is followed by a compressed challenger, from scratch.

    Args:
        nlu: the base data with the corrections' examples.
        champion: the folder of the model that serves.
        options: how to train from scratch.
        replay: how many base examples are shown again at most, by a stable draw within each
            intent.
    """
    reason = _why_from_scratch(nlu, champion, options)
    if options.method == "head":
        # Its heads are fitted anew; the vectors of texts that the champion knows are not.
        return Plan("scratch", reason, replace(options, init_from=champion), nlu)
    if reason:
        compress = options.compress or (options.method == "full" and _is_compressed(champion))
        return Plan("scratch", reason, replace(options, compress=compress), nlu)
    continued = replace(
        options,
        init_from=champion,
        epochs=options.epochs or CONTINUED_EPOCHS,
        learning_rate=options.learning_rate or CONTINUED_RATE,
    )
    sample = replace(nlu, examples=replayed(nlu.examples, replay))
    return Plan("champion", "the network goes on from the present model's", continued, sample)


def replayed(examples: tuple[Example, ...], limit: int) -> tuple[Example, ...]:
    """All corrections, and at most `limit` base examples, each intent with its share."""
    base = [e for e in examples if not e.source.startswith("correction:")]
    if len(base) <= limit:
        return examples
    groups: dict[str | None, list[Example]] = {}
    for example in base:
        groups.setdefault(example.response or example.intent, []).append(example)
    kept: set[int] = set()
    for members in groups.values():
        members.sort(key=lambda e: stable_order(e.text))
        count = max(1, round(limit * len(members) / len(base)))
        kept.update(id(e) for e in members[:count])
    return tuple(e for e in examples if e.source.startswith("correction:") or id(e) in kept)


def challenger_trainer(
    project: Project, options: TrainOptions, *, replay: int = 20_000
) -> Callable[[NluData, Path, Path], Mapping[str, Any]]:
    """How the learning cycle trains: (data, folder, champion) to what the manifest says."""

    def train(nlu: NluData, folder: Path, champion: Path) -> Mapping[str, Any]:
        chosen = plan(nlu, champion, options, replay=replay)
        _log.info("training from %s: %s", chosen.beginning, chosen.reason)
        result = train_into(project, chosen.nlu, folder, chosen.options)
        about = describe(chosen.nlu, result, chosen.options)
        begun = {"from": chosen.beginning, "reason": chosen.reason}
        return {**about, "parent": champion.name, "training": begun}

    return train


def _why_from_scratch(nlu: NluData, champion: Path, options: TrainOptions) -> str:
    """Why the champion cannot be the beginning; empty if it can."""
    if options.method == "head":
        return "method head has no network of its own"
    try:
        spec = load_spec(champion)
    except ModelError as error:
        return f"the present model cannot be read ({error})"
    if not _has_network(champion):
        return f"the present model was made with method {spec.method}, which keeps no network"
    if spec.encoder != options.encoder:
        return f"the present model has another encoder ({spec.encoder})"
    if _is_compressed(champion):
        return "the present model is compressed"
    changed = _changed_share(nlu, spec)
    if changed > MOST_CHANGED:
        return f"{changed:.0%} of the intents came or went"
    return ""


def _has_network(folder: Path) -> bool:
    return bool(_network_config(folder))


def _is_compressed(folder: Path) -> bool:
    return bool(_network_config(folder).get("compressed"))


def _network_config(folder: Path) -> Mapping[str, Any]:
    """What config.json says of a model folder's network; nothing where it has none."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _changed_share(nlu: NluData, spec: Spec) -> float:
    wanted = {str(e.intent) for e in nlu.examples if is_intent(e.intent)}
    known = set(spec.intents)
    return len(wanted ^ known) / max(len(wanted | known), 1)
