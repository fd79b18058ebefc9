"""A project's domain and configuration as JSON, for the model folder.

What a running assistant needs, so that no YAML is read at its start. Examples, stories and
rules are left out, for other files of the model folder hold what was learned from them;
endpoints and credentials, for they are the machine's and hold secrets (see `load_connections`).
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agent.errors import ModelError
from agent.project.types import Domain, Project, ProjectConfig

FORMAT = 1


def dump_project(project: Project) -> str:
    """The project's domain and configuration as one JSON document."""
    config = replace(project.config, action_endpoint=None, nlg_endpoint=None, credentials={})
    parts = {
        "format": FORMAT,
        "domain": _domain_adapter().dump_python(project.domain, mode="json"),
        "config": _config_adapter().dump_python(config, mode="json"),
    }
    return json.dumps(parts, ensure_ascii=False)


def read_project_archive(text: str, root: Path = Path()) -> Project:
    """The project that `dump_project` wrote; its endpoints are empty (see `load_connections`).

    Args:
        text: the JSON document.
        root: the project's folder, for what is read from it later.

    Raises:
        ModelError: the document is broken or of another format version.
    """
    try:
        parts = json.loads(text)
        version = parts["format"]
        if version == FORMAT:
            domain = _domain_adapter().validate_python(parts["domain"])
            config = _config_adapter().validate_python(parts["config"])
            return Project(root=root, domain=domain, config=config)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise ModelError("the model's project.json is broken: train the model again") from error
    raise ModelError(
        f"the model's project.json has format {version!r}, this version reads {FORMAT}: "
        "train the model again"
    )


@cache
def _domain_adapter() -> TypeAdapter[Domain]:
    return TypeAdapter(Domain)


@cache
def _config_adapter() -> TypeAdapter[ProjectConfig]:
    return TypeAdapter(ProjectConfig)
