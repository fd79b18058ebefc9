"""An assistant's folder to a Project: domain, training data, stories, rules, configuration."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.errors import NoExamplesError, ProjectError
from agent.project.config_reader import read_config
from agent.project.domain_merge import DOMAIN_KEYS, MergedDomain, merge_domain
from agent.project.domain_reader import read_domain
from agent.project.endpoints_reader import Endpoints, read_credentials, read_endpoints
from agent.project.findings import Findings, Source
from agent.project.folders import files_under
from agent.project.foreign import read_json
from agent.project.imports import imported_files
from agent.project.jsonl import read_jsonl
from agent.project.markdown import read_markdown
from agent.project.migrate import migrate_domain
from agent.project.nlu_reader import NluBuilder, read_nlu
from agent.project.story_reader import read_rules, read_stories
from agent.project.types import Domain, NluData, Notice, Project, ProjectConfig, Rule, Story
from agent.project.yaml_file import read_yaml
from agent.project.yaml_values import line_of

YAML_SUFFIXES = (".yml", ".yaml")
_DATA_SUFFIXES = (*YAML_SUFFIXES, ".md", ".json")
_DATA_KEYS = {"version", "nlu", "stories", "rules", "metadata", *DOMAIN_KEYS}
_FLOWS = "flows"
_VERSIONS = ("3.1", "3.0", "2.0")


@dataclass
class _Gathered:
    """What the files read so far hold."""

    domain: MergedDomain = field(default_factory=MergedDomain)
    nlu: NluBuilder = field(default_factory=NluBuilder)
    stories: list[Story] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)


def load_project(root: Path) -> Project:
    """An assistant's folder, read; what is not fatal stands in `Project.notices`.

    Not fatal is what is wrong with the files that connect it: `load_connections` tells.

    Raises:
        ProjectError: the first error, with its file, line and key.
    """
    findings = Findings()
    project = _read(root, findings)
    connecting = {_first(root, stem).name for stem in ("endpoints", "credentials")}
    findings.raise_first(but_for=connecting)
    return project


def read_project(root: Path) -> Project:
    """The same, but errors stand in `Project.notices` and the parts at fault are left out.

    Raises:
        ProjectError: the folder is no project.
    """
    return _read(root, Findings())


def load_nlu(paths: Iterable[Path]) -> NluData:
    """Training data from Rasa YAML or JSONL files, by their suffix, and from all in folders.

    Raises:
        ProjectError: the first error, with its file, line and key.
    """
    return load_nlu_and_notices(paths)[0]


def load_nlu_and_notices(paths: Iterable[Path]) -> tuple[NluData, tuple[Notice, ...]]:
    """The same, and what was odd about the files.

    Raises:
        ProjectError: the first error, with its file, line and key.
    """
    findings, gathered = Findings(), _Gathered()
    for path in paths:
        for file in files_under(path, (*_DATA_SUFFIXES, ".jsonl")) if path.is_dir() else (path,):
            _read_data_file(Source(str(file), findings, file, file.parent), gathered, nlu_only=True)
    findings.raise_first()
    data = gathered.nlu.build()
    if not data.examples and not findings.errors:
        names = ", ".join(map(str, paths))
        raise NoExamplesError(f"no training example found in {names or 'no file'}")
    return data, tuple(findings.notices)


def load_connections(root: Path) -> ProjectConfig:
    """Only the endpoints and channels of a project, for serving; they are never archived.

    Raises:
        ProjectError: a file is wrong, or a `${VAR}` that is needed is not set.
    """
    findings = Findings()
    config = _connect(root, findings, ProjectConfig(), strict=True)
    findings.raise_first()
    return config


def _read(root: Path, findings: Findings) -> Project:
    gathered = _Gathered()
    config_source = _source(root, _first(root, "config"), findings)
    config_data = read_yaml(config_source) if config_source.file.is_file() else None
    imported = imported_files(config_data, config_source)
    if not imported:
        _check_folder(root)
    _report_kinds(root, findings)
    for file in (*imported, *_project_files(root)):
        _read_data_file(_source(root, file, findings), gathered)
    migrated = migrate_domain(gathered.domain)
    config, old_rules = read_config(config_data, config_source)
    config = _connect(root, findings, config, strict=False)
    domain = _with_nlu(read_domain(gathered.domain), gathered.nlu)
    findings.close()
    return Project(
        root=root,
        domain=domain,
        nlu=gathered.nlu.build(),
        stories=tuple(gathered.stories),
        rules=(*gathered.rules, *migrated, *old_rules),
        config=config,
        notices=tuple(findings.notices),
    )


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        raise ProjectError("no such folder", path=root)
    if next(_project_files(root), None) is None:
        raise ProjectError(
            "is no assistant: it has no domain.yml, domain/ or data/ (`agent init DIR` makes one)",
            path=root,
        )


def _report_kinds(root: Path, findings: Findings) -> None:
    """Report what has the name of a part of a project and is no file, or no folder."""
    for stem in ("domain", "config", "endpoints", "credentials"):
        path = _first(root, stem)
        if path.exists() and not path.is_file():
            _source(root, path, findings).error("must be a file")
    for name in ("data", "domain"):
        path = root / name
        if path.exists() and not path.is_dir():
            _source(root, path, findings).error("must be a folder")


def _source(root: Path, file: Path, findings: Findings) -> Source:
    shown = Path(os.path.relpath(file, root)).as_posix()  # what is imported may lie outside
    return Source(shown, findings, file, root)


def _first(root: Path, stem: str) -> Path:
    """`stem.yml`, or `stem.yaml` where only that exists."""
    other = root / f"{stem}.yaml"
    return (
        other if other.is_file() and not (root / f"{stem}.yml").is_file() else root / f"{stem}.yml"
    )


def _project_files(root: Path) -> Iterator[Path]:
    """The domain's files, then those of the training data, each sorted by path."""
    single = _first(root, "domain")
    if single.is_file():
        yield single
    yield from _files(root / "domain", YAML_SUFFIXES)
    yield from _files(root / "data", _DATA_SUFFIXES)


def _files(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.suffix in suffixes and not hidden and path.is_file():
                yield path


def _read_data_file(source: Source, into: _Gathered, nlu_only: bool = False) -> None:
    suffix = source.file.suffix.lower()
    if suffix == ".jsonl":
        read_jsonl(source, into.nlu)
    elif suffix == ".json":
        read_json(source, into.nlu)
    elif suffix == ".md":
        into.stories += read_markdown(source, into.nlu, into.domain)
    else:
        _read_yaml_file(source, into, nlu_only)


def _read_yaml_file(source: Source, into: _Gathered, nlu_only: bool) -> None:
    data = read_yaml(source)
    if data is None:
        return
    if not isinstance(data, dict) or not (nlu_only or {*_DATA_KEYS, _FLOWS} & set(data)):
        source.warning("holds no domain, nlu, stories or rules and is not read")
        return
    _report_keys(data, source)
    read_nlu(data.get("nlu"), source, into.nlu, line_of(data, "nlu"))
    if nlu_only:
        return
    if data.get("stories") and source.file.name.startswith("test_"):
        message = "test stories under data/ are learned from, too, as in Rasa: move them to tests/"
        source.info(message, line_of(data, "stories"))
    into.stories += read_stories(data.get("stories"), source, line_of(data, "stories"))
    into.rules += read_rules(data.get("rules"), source, line_of(data, "rules"))
    merge_domain(data, source, into.domain)


def _report_keys(data: dict[str, Any], source: Source) -> None:
    for key in data:
        if key == _FLOWS:
            message = "flows are Rasa Pro's (CALM), which is not run: write stories and rules"
            source.warning(message, line_of(data, key), key)
        elif key not in _DATA_KEYS:
            source.warning("the key is unknown and not read", line_of(data, key), key)
    version = data.get("version")
    if version is not None and str(version) not in _VERSIONS:
        source.warning(
            f"the version {version!r} is unknown: it is read as 3.1", line_of(data, "version")
        )
    elif str(version) == "2.0":
        source.info_once('version "2.0": read in the 2.x layout', line_of(data, "version"))


def _with_nlu(domain: Domain, nlu: NluBuilder) -> Domain:
    """Add what the training data says of intents: answers by key, titles and descriptions."""
    retrieval = {example.intent for example in nlu.examples if example.response}
    intents = {
        name: replace(
            intent,
            is_retrieval=intent.is_retrieval or name in retrieval,
            title=intent.title or _told(nlu, name, "title"),
            description=intent.description or _told(nlu, name, "description"),
            answer_titles=_answer_titles(nlu, name),
        )
        for name, intent in domain.intents.items()
    }
    return replace(domain, intents=intents)


def _told(nlu: NluBuilder, intent: str, key: str) -> str | None:
    """What an intent's metadata says under `key`; the name, if only its answers have that."""
    if text := nlu.intent_metadata.get(intent, {}).get(key):
        return str(text)
    answers = (data for name, data in nlu.intent_metadata.items() if name.startswith(f"{intent}/"))
    return intent if any(data.get(key) for data in answers) else None


def _answer_titles(nlu: NluBuilder, intent: str) -> dict[str, str]:
    """The titles that the metadata of a retrieval intent's answers give, by key."""
    return {
        name.partition("/")[2]: str(data["title"])
        for name, data in nlu.intent_metadata.items()
        if name.startswith(f"{intent}/") and data.get("title")
    }


def _connect(root: Path, findings: Findings, config: ProjectConfig, strict: bool) -> ProjectConfig:
    """The configuration with the endpoints and channels of its two files."""
    endpoints, channels = Endpoints(), config.credentials
    source = _source(root, _first(root, "endpoints"), findings)
    if source.file.is_file():
        endpoints = read_endpoints(read_yaml(source, environment=True), source, strict=strict)
    source = _source(root, _first(root, "credentials"), findings)
    if source.file.is_file():
        channels = read_credentials(read_yaml(source, environment=True), source, strict=strict)
    return replace(
        config,
        action_endpoint=endpoints.action,
        nlg_endpoint=endpoints.nlg,
        credentials=channels,
    )
