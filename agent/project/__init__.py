"""An assistant's folder → Project: domain, nlu data, stories and rules, validation.

The readers (and with them the YAML library) are imported when one is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agent.project.types import (
    ActionStep,
    BotStep,
    CheckpointStep,
    Domain,
    Endpoint,
    EntityAnnotation,
    EntityType,
    Example,
    FallbackConfig,
    Form,
    Intent,
    LoopStep,
    MappingCondition,
    NluData,
    Notice,
    OrStep,
    Place,
    PolicyConfig,
    Project,
    ProjectConfig,
    ResponseVariation,
    Rule,
    SessionConfig,
    Slot,
    SlotMapping,
    SlotStep,
    Step,
    StepEntity,
    Story,
    UserStep,
)

if TYPE_CHECKING:
    from agent.project.archive import dump_project, read_project_archive
    from agent.project.markup import parse_markup
    from agent.project.reader import (
        load_connections,
        load_nlu,
        load_nlu_and_notices,
        load_project,
        read_project,
    )
    from agent.project.story_files import load_stories
    from agent.project.validator import validate

_READERS = {
    "dump_project": "archive",
    "load_connections": "reader",
    "load_nlu": "reader",
    "load_nlu_and_notices": "reader",
    "load_project": "reader",
    "load_stories": "story_files",
    "parse_markup": "markup",
    "read_project": "reader",
    "read_project_archive": "archive",
    "validate": "validator",
}

__all__ = [
    "ActionStep",
    "BotStep",
    "CheckpointStep",
    "Domain",
    "Endpoint",
    "EntityAnnotation",
    "EntityType",
    "Example",
    "FallbackConfig",
    "Form",
    "Intent",
    "LoopStep",
    "MappingCondition",
    "NluData",
    "Notice",
    "OrStep",
    "Place",
    "PolicyConfig",
    "Project",
    "ProjectConfig",
    "ResponseVariation",
    "Rule",
    "SessionConfig",
    "Slot",
    "SlotMapping",
    "SlotStep",
    "Step",
    "StepEntity",
    "Story",
    "UserStep",
    "dump_project",
    "load_connections",
    "load_nlu",
    "load_nlu_and_notices",
    "load_project",
    "load_stories",
    "parse_markup",
    "read_project",
    "read_project_archive",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _READERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"agent.project.{_READERS[name]}"), name)
