"""Projects that `config.yml` imports: Rasa's MultiProjectImporter."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.project.components import component_name
from agent.project.findings import Source
from agent.project.folders import files_under
from agent.project.yaml_file import read_yaml
from agent.project.yaml_values import line_of, plain

_MULTI, _DEFAULT = "MultiProjectImporter", "RasaFileImporter"
_CONFIG = ("config.yml", "config.yaml")
_NO_DATA = {"config", "endpoints", "credentials", "settings", "docker-compose"}
_SUFFIXES = (".yml", ".yaml", ".md", ".json")


def imported_files(config: Any, source: Source) -> list[Path]:
    """The domain and training data files of the projects that a configuration imports.

    What is imported are folders, or other configurations with their own imports, by paths
    relative to the file that names them; what is not there is reported.
    """
    if not isinstance(config, dict):
        return []
    if _MULTI not in _importers(config, source):
        if config.get("imports"):
            message = f"is read only where `importers` has the name {_MULTI}, as in Rasa"
            source.warning(message, line_of(config, "imports"), "imports")
        return []
    seen: dict[Path, None] = {Path(os.path.abspath(source.file)): None}
    _follow(config, source, seen)
    root = Path(os.path.abspath(source.root))
    own = [root / name for name in ("domain", "data", "domain.yml", "domain.yaml")]
    others = (file for file in seen if not any(file.is_relative_to(part) for part in own))
    return [file for file in others if file.name not in _CONFIG]


def _importers(config: Mapping[str, Any], source: Source) -> set[str]:
    """The names of the importers; those that are not run are reported."""
    items = config.get("importers") or []
    listed = items if isinstance(items, list) else [items]
    names = {str(item.get("name")) if isinstance(item, dict) else str(item) for item in listed}
    for name in sorted({component_name(name) for name in names} - {_MULTI, _DEFAULT}):
        message = f"the importer {name!r} is not run: put all files under data/ and domain.yml"
        source.warning(message, line_of(config, "importers"), "importers")
    return {component_name(name) for name in names}


def _follow(config: Mapping[str, Any], source: Source, seen: dict[Path, None]) -> None:
    """Add what one configuration imports, each file once."""
    imports = config.get("imports") or []
    if not isinstance(imports, list) or not all(isinstance(one, str) for one in imports):
        message = f"must be a list of folders, not {plain(imports)!r}"
        source.error(message, line_of(config, "imports"), "imports")
        return
    for i, one in enumerate(imports):
        path = Path(os.path.abspath(source.file.parent / one))
        if not path.exists():
            source.error(f"there is no {one!r}", line_of(imports, i), "imports")
        for file in [path] if path.is_file() else _data_files(path):
            if file in seen:
                continue
            seen[file] = None
            if file.name in _CONFIG:
                inner = Source(str(file), source.findings, file, file.parent)
                data = read_yaml(inner)
                if isinstance(data, dict):
                    _follow(data, inner, seen)


def _data_files(folder: Path) -> Iterator[Path]:
    """A folder's configuration and what may hold domain and training data, but no tests."""
    for file in files_under(folder, _SUFFIXES):
        is_test = file.name.startswith("test_") or "tests" in file.relative_to(folder).parts
        if file.name in _CONFIG or not (is_test or file.stem in _NO_DATA or file.stem == "README"):
            yield file
