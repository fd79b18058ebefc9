"""The settings: defaults, a project's `settings.yml` and the environment, merged and checked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from agent.errors import InputError
from agent.feedback.names import NameLabels, name_labels
from knowledge.home import config_dir, home
from knowledge.options import KnowledgeOptions

ENV_PREFIX = "INTENT_AGENT_"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(_Section):
    """Where turns, conversations and corrections live."""

    url: str
    project: str
    conversation_days: float = Field(ge=0)
    turn_log_days: float = Field(ge=0)
    turn_log_length: int = Field(ge=0)


class UnderstandingSettings(_Section):
    """How messages are understood."""

    encoder: str
    method: Literal["full", "head", "lora"]
    device: Literal["auto", "cpu", "cuda"]
    threads: int = Field(ge=1)


class MemorySettings(_Section):
    """How accepted corrections act before they are trained."""

    enabled: bool
    min_similarity: float = Field(ge=-1, le=1)
    max_weight: float = Field(ge=0, le=1)


class KnowledgeSettings(_Section):
    """How the knowledge base is searched."""

    encoder: str
    passages: int = Field(ge=1)
    floor: Annotated[float, Field(ge=0, le=1)] | None
    folders: tuple[str, ...]
    diversity: float = Field(ge=0, le=1)
    reranker: str | None
    rewrite: bool
    watch_s: float = Field(ge=0)

    def options(self) -> KnowledgeOptions:
        """What of it the knowledge room needs."""
        return KnowledgeOptions(
            self.encoder, self.floor, self.diversity, self.reranker, self.folders
        )


class GeneratorSettings(_Section):
    """A language model that writes answers and helps to understand; none by default."""

    kind: Literal["none", "openai", "transformers"]
    url: str
    model: str
    api_key: str
    timeout_s: float = Field(gt=0)
    max_tokens: int = Field(ge=1)
    answers: bool
    understanding: bool
    rephrase: bool
    proposal_timeout_s: float = Field(gt=0)
    daily_calls: int = Field(ge=0)
    least_trust: float = Field(ge=0, le=1)


class ActionSettings(_Section):
    """How custom actions are run."""

    timeout_s: float = Field(gt=0)


class DialogueSettings(_Section):
    """Bounds of one turn, and what goes beyond Rasa."""

    max_actions: int = Field(ge=1)
    max_message_chars: int = Field(ge=1)
    repair: bool
    learned_policy: Literal["linear", "transformer"]


class FeedbackSettings(_Section):
    """How feedback is kept."""

    mask_personal_data: bool
    name_entities: tuple[str, ...]
    daily_quota: int = Field(ge=1)
    lease_s: float = Field(gt=0)
    draw: float = Field(ge=0, le=1)
    double_check: float = Field(ge=0, le=1)
    queue_length: int = Field(ge=1)

    @property
    def names(self) -> NameLabels:
        """The entities that are masked as names of people; none where nothing is masked."""
        return name_labels(self.name_entities if self.mask_personal_data else ())


class LearningSettings(_Section):
    """How the learning cycle trains and judges."""

    method: Literal["full", "head", "lora"]
    min_corrections: int = Field(ge=1)
    held_out: float = Field(ge=0, lt=1)
    tolerance: float = Field(ge=0, le=1)
    replay: int = Field(ge=0)
    every: str
    budget_minutes: float = Field(gt=0)
    memory_mb: int = Field(ge=0)


class ChatSettings(_Section):
    """How the terminal session looks."""

    sources: bool
    colors: bool


class ServerSettings(_Section):
    """How `agent serve` listens, and what it bears."""

    host: str
    port: int = Field(ge=0, le=65_535)
    max_body_bytes: int = Field(ge=1_000)
    max_waiting: int = Field(ge=1)
    max_waiting_per_conversation: int = Field(ge=1)
    stop_s: int = Field(ge=1)
    allow_open: bool
    auth_token: str | None
    jwt_secret: str | None
    jwt_method: str
    secret: str | None
    session_hours: float = Field(gt=0)
    token_days: float = Field(gt=0)
    cors_origins: tuple[str, ...]
    frame_ancestors: tuple[str, ...]
    messages_per_minute: int = Field(ge=0)
    conversations_per_minute: int = Field(ge=0)
    sign_ins_per_minute: int = Field(ge=0)
    logs: Literal["text", "json"]
    tracing: bool


class MonitorSettings(_Section):
    """How `agent monitor` counts and when it raises an alarm."""

    window_hours: int = Field(ge=1)
    false_alarms_a_week: float = Field(gt=0)
    cooldown_hours: float = Field(ge=0)
    learn_days: float = Field(ge=1)
    least: int = Field(ge=1)
    kept_days: float = Field(ge=7)
    items_kept: int = Field(ge=100)
    webhook: str
    webhook_secret: str


class LoggingSettings(_Section):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"]


class Settings(_Section):
    """Every setting; `config/settings.yml` explains each."""

    store: StoreSettings
    understanding: UnderstandingSettings
    memory: MemorySettings
    knowledge: KnowledgeSettings
    generator: GeneratorSettings
    actions: ActionSettings
    dialogue: DialogueSettings
    feedback: FeedbackSettings
    learning: LearningSettings
    chat: ChatSettings
    server: ServerSettings
    monitor: MonitorSettings
    logging: LoggingSettings


def load_settings(
    project: Path | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """The settings of a project (None: the defaults and the environment).

    Raises:
        InputError: a file is no YAML mapping, or a key or value is not known; names the place.
    """
    default = config_dir() / "settings.yml"
    merged = _read(default)
    places: dict[str, str] = {}
    overrides = [] if project is None else [project / "settings.yml"]
    for path in overrides:
        if path.is_file():
            _merge(merged, _read(path), places, str(path))
    for name, value in (os.environ if environ is None else environ).items():
        section, separator, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        if name.startswith(ENV_PREFIX) and separator:
            _merge(merged, {section: {key: _scalar(value)}}, places, f"environment variable {name}")
    return _check(merged, places, str(default))


def _read(path: Path) -> dict[str, Any]:
    """One YAML file as a dict of sections."""
    try:
        data = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(f"not valid YAML: {error.problem}", path=path, line=line) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", path=path) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError(f"must be a mapping of sections, got {data!r}", path=path)
    return data


def _scalar(value: str) -> Any:
    """An environment value read as YAML, so that `5`, `true`, `null` and `[a, b]` are typed."""
    try:
        parsed = YAML(typ="safe").load(value)
    except MarkedYAMLError:
        return value
    if isinstance(parsed, list) and value.lstrip().startswith("["):
        return parsed
    return value if isinstance(parsed, dict | list) or not value else parsed


def _merge(
    into: dict[str, Any], update: Mapping[str, Any], places: dict[str, str], origin: str
) -> None:
    """Lay `update` over `into`, remembering where each key was set."""
    for section, values in update.items():
        if not isinstance(values, dict):
            into[section] = values
            places[section] = origin
            continue
        if section not in into:
            places[section] = origin
        target = into.setdefault(section, {})
        for key, value in values.items():
            target[key] = value
            places[f"{section}.{key}"] = origin


def _check(merged: dict[str, Any], places: Mapping[str, str], default: str) -> Settings:
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        section = str(first["loc"][0])
        origin = places.get(key) or places.get(section) or default
        known = Settings.model_fields
        fields = known[section].annotation if section in known else Settings
        names = ", ".join(getattr(fields, "model_fields", {}))
        if first["type"] == "extra_forbidden":
            raise InputError(
                f"unknown setting; known here: {names}", path=origin, key=key
            ) from error
        if first["type"] == "model_type":
            raise InputError(
                f"must be a section with any of {names}, got {first['input']!r}",
                path=origin,
                key=key,
            ) from error
        raise InputError(f"{first['msg']}, got {first['input']!r}", path=origin, key=key) from error


__all__ = ["Settings", "home", "load_settings"]
