"""Jinja templates, one file a prompt, with their variables declared in YAML front matter."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from agent.errors import InputError
from knowledge.facts import FACTS, load_facts
from knowledge.home import config_dir

SUFFIX = ".jinja"
_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*\r?\n?", re.DOTALL | re.MULTILINE
)
_VERSION_DIGITS = 12
Facts = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A template's text for some values; `version` is the template's content hash."""

    text: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """One template: its name is its file's name up to the first dot.

    `variables` maps each variable it declares to what it means; `version` is the first
    digits of the SHA-256 of its file.
    """

    name: str
    path: Path
    description: str
    variables: Mapping[str, str]
    version: str
    compiled: Template = field(repr=False, compare=False)

    def render(self, **values: Any) -> RenderedPrompt:
        """The template with its variables filled in.

        Raises:
            InputError: a declared variable has no value, a value is for no variable, or the
                template fails.
        """
        missing = sorted(set(self.variables) - set(values))
        unknown = sorted(set(values) - set(self.variables))
        if missing or unknown:
            wrong = f"needs {', '.join(missing)}" if missing else f"has no {', '.join(unknown)}"
            known = ", ".join(self.variables) or "none"
            raise InputError(
                f"the prompt {self.name!r} {wrong}; its variables: {known}", path=self.path
            )
        try:
            text = self.compiled.render(values)
        except Exception as error:  # a template divides, indexes and calls as it likes
            raise InputError(
                f"the prompt {self.name!r} cannot be rendered: {error}", path=self.path
            ) from error
        return RenderedPrompt(text.strip(), self.name, self.version)


class Templates:
    """The templates by name, all checked when they were loaded."""

    def __init__(self, templates: Mapping[str, PromptTemplate]) -> None:
        self._templates = dict(templates)

    @property
    def names(self) -> list[str]:
        """The templates' names in alphabetical order."""
        return sorted(self._templates)

    def __getitem__(self, name: str) -> PromptTemplate:
        """The template of that name.

        Raises:
            InputError: there is none.
        """
        if name not in self._templates:
            known = ", ".join(self.names) or "none"
            raise InputError(f"no prompt named {name!r}; there are: {known}")
        return self._templates[name]

    def render(self, name: str, **values: Any) -> RenderedPrompt:
        """The named template with its variables filled in; raises InputError as they do."""
        return self[name].render(**values)


def load_templates(project: Path | None = None) -> Templates:
    """The default templates, overridden by those in the project's `prompts/`.

    Every template is compiled and checked here, so that a mistake stops the start and not
    a conversation. Beside its variables each may use `facts`: the objects of the tables in
    the project's `facts/`, by their type (see `knowledge.facts.load_facts`).

    Raises:
        InputError: a template cannot be read or parsed, uses a variable that it does not
            declare, or overrides a default and declares a variable that nobody gives it; or
            a table cannot be read.
    """
    facts = {} if project is None else load_facts(project / FACTS)
    templates = {t.name: t for t in _read_folder(config_dir() / "prompts", facts)}
    overrides = [] if project is None else list(_read_folder(project / "prompts", facts))
    for template in overrides:
        default = templates.get(template.name)
        templates[template.name] = template if default is None else _override(default, template)
    return Templates(templates)


def read_template(path: Path, facts: Facts | None = None) -> PromptTemplate:
    """One template from its file, which may use `facts`; raises InputError with the place."""
    try:
        source = path.read_bytes()
        text = source.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", path=path) from error
    description, variables, body, first_line = _split(text, path)
    compiled = _compile(body, path, first_line, set(variables), facts or {})
    version = hashlib.sha256(source).hexdigest()[:_VERSION_DIGITS]
    name = path.name.split(".", 1)[0]
    return PromptTemplate(name, path, description, variables, version, compiled)


def _read_folder(folder: Path, facts: Facts) -> Iterable[PromptTemplate]:
    """The templates in a folder (none if it is not there), in alphabetical order."""
    if not folder.is_dir():
        return []
    return [read_template(path, facts) for path in sorted(folder.glob(f"*{SUFFIX}"))]


def _split(text: str, path: Path) -> tuple[str, dict[str, str], str, int]:
    """Description, variables, body and the 0-based line at which the body begins."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return "", {}, text, 0
    matter = _parse_front_matter(match["yaml"], path)
    unknown = sorted(set(matter) - {"description", "variables"})
    if unknown:
        raise InputError(
            "unknown key in the front matter; known: description, variables",
            path=path,
            line=1,
            key=str(unknown[0]),
        )
    variables = matter.get("variables") or {}
    if not isinstance(variables, dict):
        raise InputError(
            f"must map each variable to what it means, got {variables!r}",
            path=path,
            key="variables",
        )
    declared = {str(name): str(meaning or "") for name, meaning in variables.items()}
    return (
        str(matter.get("description") or ""),
        declared,
        text[match.end() :],
        text.count("\n", 0, match.end()),
    )


def _parse_front_matter(source: str, path: Path) -> dict[str, Any]:
    try:
        matter = YAML(typ="safe").load(source)
    except MarkedYAMLError as error:
        # The opening dashes are line 1, and marks count from 0.
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise InputError(f"not valid YAML: {error.problem}", path=path, line=line) from error
    except YAMLError as error:
        raise InputError(f"not valid YAML: {error}", path=path, line=1) from error
    if matter is None:
        return {}
    if not isinstance(matter, dict):
        raise InputError(f"the front matter must be a mapping, got {matter!r}", path=path, line=1)
    return matter


def _compile(body: str, path: Path, first_line: int, declared: set[str], facts: Facts) -> Template:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals[FACTS] = facts
    try:
        tree = environment.parse(body)
        template = environment.from_string(body)
    except TemplateSyntaxError as error:
        message = f"not a valid template: {error.message}"
        raise InputError(message, path=path, line=first_line + error.lineno) from error
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise InputError("a prompt cannot include, import or extend another", path=path)
    for name in sorted(meta.find_undeclared_variables(tree) - declared - set(environment.globals)):
        raise InputError(
            "the variable is used but not declared; add it to `variables` in the front matter, "
            "or take it out",
            path=path,
            line=first_line + _line_of(name, body),
            key=name,
        )
    return template


def _line_of(name: str, body: str) -> int:
    match = re.search(rf"\b{re.escape(name)}\b", body)
    return body.count("\n", 0, match.start()) + 1 if match else 1


def _override(default: PromptTemplate, template: PromptTemplate) -> PromptTemplate:
    """The project's template in place of the default; it may use fewer variables, not others."""
    for name in template.variables:
        if name not in default.variables:
            known = ", ".join(default.variables) or "none"
            raise InputError(
                f"the variable is not given to the prompt {template.name!r}; it is given: {known}",
                path=template.path,
                key=name,
            )
    return replace(template, variables={**default.variables, **template.variables})


__all__ = ["PromptTemplate", "RenderedPrompt", "Templates", "load_templates", "read_template"]
