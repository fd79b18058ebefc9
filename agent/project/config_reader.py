"""`config.yml`: thresholds and policies as we use them, and what we do not run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.project import components as known
from agent.project.config_options import told_options
from agent.project.findings import Source
from agent.project.types import (
    ActionStep,
    FallbackConfig,
    LoopStep,
    PolicyConfig,
    ProjectConfig,
    Rule,
    UserStep,
)
from agent.project.values_config import (
    DEFAULT_ZONE,
    EXTRACTORS,
    SPACY_EXTRACTOR,
    check_spacy,
    check_values,
)
from agent.project.yaml_values import line_of, plain

_KEYS = {"recipe", "assistant_id", "language", "pipeline", "policies", "version"}
_KEYS |= {"importers", "imports"}  # see agent.project.imports
_TWO_STAGE = "action_two_stage_fallback"


@dataclass
class _Part:
    """One item of `pipeline` or `policies`."""

    name: str
    options: Mapping[str, Any]
    source: Source
    line: int
    key: str

    def number(self, name: str, default: float) -> float:
        value = self.options.get(name, default)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            message = f"`{name}` is a number from 0 to 1, not {value!r}"
            self.source.error(message, line_of(self.options, name, self.line), self.key)
            return default
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.options.get(name, default)
        if not isinstance(value, bool):
            message = f"`{name}` is true or false, not {value!r}"
            self.source.error(message, line_of(self.options, name, self.line), self.key)
            return default
        return value

    def report(self, found: Iterable[tuple[str, str]]) -> None:
        """Warn of options that cannot be served, given as (key, message)."""
        for key, message in found:
            self.source.warning(message, line_of(self.options, key, self.line), self.key)

    def word(self, name: str) -> None:
        value = self.options.get(name)
        if value is not None and not isinstance(value, str):
            message = f"`{name}` is a name, not {plain(value)!r}"
            self.source.error(message, line_of(self.options, name, self.line), self.key)

    def history(self, default: int | None = None) -> int | None:
        value = self.options.get("max_history", default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            message = f"`max_history` is a whole number or null, not {value!r}"
            self.source.error(message, line_of(self.options, "max_history", self.line), self.key)
            return default
        return value or None


@dataclass
class _OldFallback:
    """Thresholds and the rule that stand for 1.x fallback policies."""

    nlu: FallbackConfig | None = None
    rules: list[Rule] = field(default_factory=list)


def read_config(data: Any, source: Source) -> tuple[ProjectConfig, tuple[Rule, ...]]:
    """The configuration, and rules that stand for the fallback policies of 1.x."""
    if data is None:
        return ProjectConfig(policies=_default_policies()), ()
    if not isinstance(data, dict):
        source.error("must be a mapping with `pipeline` and `policies`", line_of(data))
        return ProjectConfig(policies=_default_policies()), ()
    _report_keys(data, source)
    pipeline = _pipeline(data, source)
    old = _OldFallback()
    policies = _policies(data, source, old)
    fallback = _fallback(pipeline)
    if fallback == FallbackConfig() and old.nlu is not None:
        fallback = old.nlu
    config = ProjectConfig(
        language=str(data.get("language") or "en"),
        assistant_id=None if data.get("assistant_id") is None else str(data["assistant_id"]),
        fallback=fallback,
        policies=policies,
        pipeline=tuple({**plain(part.options), "name": part.name} for part in pipeline),
    )
    return config, tuple(old.rules)


def _report_keys(data: Mapping[str, Any], source: Source) -> None:
    recipe = data.get("recipe")
    if recipe not in (None, "default.v1"):
        message = f"the recipe {recipe!r} is not run: `default.v1` is read"
        source.warning(message, line_of(data, "recipe"), "recipe")
    for key in ("language", "assistant_id"):
        if isinstance(data.get(key), dict | list):
            source.error(f"is no text: {plain(data[key])!r}", line_of(data, key), key)
    for key in data:
        if key not in _KEYS:
            source.warning("the key is unknown and not read", line_of(data, key), key)


def _parts(data: Mapping[str, Any], section: str, source: Source) -> list[_Part]:
    items, line = data.get(section), line_of(data, section)
    if items is None:
        return []
    if not isinstance(items, list):
        source.error("must be a list of `- name: …` items", line, section)
        return []
    parts = []
    for i, item in enumerate(items):
        at, key = line_of(items, i, line), f"{section}[{i}]"
        options = {"name": item} if isinstance(item, str) else item
        name = options.get("name") if isinstance(options, dict) else None
        if not isinstance(name, str) or not name:
            source.error(f"needs a `name`, not {plain(item)!r}", at, key)
            continue
        bare = known.component_name(name)
        parts.append(_Part(bare, options, source, at, f"{key}.{bare}"))
    return parts


def _pipeline(data: Mapping[str, Any], source: Source) -> list[_Part]:
    template = data.get("pipeline")
    if isinstance(template, str):
        line = line_of(data, "pipeline")
        if template in known.PIPELINE_TEMPLATES:
            source.info(f"1.x layout: our own parts stand for the pipeline {template!r}", line)
        else:
            source.error(f"must be a list, not {template!r}", line, "pipeline")
        return []
    parts = _parts(data, "pipeline", source)
    for part in parts:
        if part.name not in known.SERVED_COMPONENTS:
            kind = "custom component" if "." in part.name else "component"
            message = f"the {kind} {part.name!r} is not run"
            source.warning(message, part.line, f"pipeline.{part.name}")
        if part.name == "ResponseSelector":
            part.word("retrieval_intent")
        if part.name in EXTRACTORS:
            if part.options.get("timezone") is None:
                message = (
                    f"no `timezone`: times are those of {DEFAULT_ZONE}, as with Duckling's server"
                )
                source.info(message, part.line, part.key)
            part.report(check_values(plain(part.options), str(data.get("language") or "")))
        if part.name == SPACY_EXTRACTOR:
            part.report(check_spacy(plain(part.options)))
    if parts:
        for message in told_options([(part.name, part.options) for part in parts]):
            source.info(message, line_of(data, "pipeline"), "pipeline")
    return parts


def _fallback(pipeline: list[_Part]) -> FallbackConfig:
    """The project's thresholds; Rasa's defaults where its classifier stands without them."""
    for part in pipeline:
        if part.name == "FallbackClassifier":
            return FallbackConfig(
                part.number("threshold", 0.3), part.number("ambiguity_threshold", 0.1)
            )
    return FallbackConfig()


def _default_policies() -> PolicyConfig:
    return PolicyConfig(
        names=known.DEFAULT_POLICIES,
        memoization_max_history=None,
        learned_max_history=known.DEFAULT_LEARNED_HISTORY,
    )


def _policies(data: Mapping[str, Any], source: Source, old: _OldFallback) -> PolicyConfig:
    parts = _parts(data, "policies", source)
    if not parts:
        return _default_policies()
    names: list[str] = []
    for part in parts:
        name = _policy_name(part, old)
        if name is not None and name not in names:
            names.append(name)
        if "priority" in part.options:
            message = "`priority` is not read: the order is Rule, Memoization, UnexpecTED, TED"
            source.warning(message, line_of(part.options, "priority"), part.key)
    found = {_stands_for(part.name) or part.name: part for part in reversed(parts)}
    rule = found.get(known.RULE_POLICY)
    memoized = found.get(known.AUGMENTED) or found.get(known.MEMOIZATION)
    learned = found.get(known.LEARNED)
    config = PolicyConfig(
        names=tuple(names),
        memoization_max_history=memoized.history() if memoized else None,
        augmented=known.AUGMENTED in found,
        learned_max_history=learned.history() if learned else None,
    )
    return _with_rule_options(config, rule) if rule else config


def _policy_name(part: _Part, old: _OldFallback) -> str | None:
    """The policy of ours that runs for one of the file; None (reported) if none does."""
    stands = _stands_for(part.name)
    if stands == part.name:
        return stands
    if stands is None or "." in part.name:
        kind = "custom policy" if "." in part.name else "policy"
        instead = f": {stands} stands for it" if stands else ""
        part.source.warning(f"the {kind} {part.name!r} is not run{instead}", part.line, part.key)
        return stands
    part.source.info(f"older layout: {stands} stands for {part.name}", part.line, part.key)
    if part.name in ("FallbackPolicy", "TwoStageFallbackPolicy"):
        _replace_fallback(part, old)
    return stands


def _stands_for(name: str) -> str | None:
    """The policy of ours for a name; a project's own class is taken for what it is called after."""
    own = known.OLD_POLICIES.get(name, name)
    if own in known.SERVED_POLICIES:
        return own
    last = name.rpartition(".")[2] if "." in name else ""
    alike = [policy for policy in known.SERVED_POLICIES if last.endswith(policy)]
    return max(alike, key=len, default=None)


def _replace_fallback(part: _Part, old: _OldFallback) -> None:
    old.nlu = FallbackConfig(
        part.number("nlu_threshold", 0.3), part.number("ambiguity_threshold", 0.1)
    )
    place, line = part.source.place(part.line), part.line
    user = UserStep("nlu_fallback", line=line)
    if part.name == "TwoStageFallbackPolicy":
        steps = (user, ActionStep(_TWO_STAGE, line), LoopStep(_TWO_STAGE, line))
        old.rules.append(Rule("two-stage fallback (from config.yml)", steps, place=place))
        return
    action = str(part.options.get("fallback_action_name") or "action_default_fallback")
    steps_one = (user, ActionStep(action, line))
    old.rules.append(Rule("fallback (from config.yml)", steps_one, place=place))


def _with_rule_options(config: PolicyConfig, part: _Part) -> PolicyConfig:
    old = part.name in ("FallbackPolicy", "TwoStageFallbackPolicy")
    threshold = "core_threshold" if old else "core_fallback_threshold"
    action = "fallback_action_name" if old else "core_fallback_action_name"
    return PolicyConfig(
        names=config.names,
        core_fallback_threshold=part.number(threshold, 0.3),
        core_fallback_action=str(part.options.get(action) or "action_default_fallback"),
        enable_fallback_prediction=part.flag("enable_fallback_prediction", True),
        restrict_rules=part.flag("restrict_rules", True),
        check_for_contradictions=part.flag("check_for_contradictions", True),
        memoization_max_history=config.memoization_max_history,
        augmented=config.augmented,
        learned_max_history=config.learned_max_history,
    )
