"""Test stories: which files hold them, and how those are read."""

import re
from collections.abc import Iterator
from pathlib import Path

from agent.errors import ProjectError
from agent.project.findings import Findings, Source
from agent.project.folders import files_under
from agent.project.markdown import read_markdown_tests
from agent.project.story_reader import read_stories
from agent.project.types import Notice, Story
from agent.project.yaml_file import read_yaml
from agent.project.yaml_values import line_of

_YAML = (".yml", ".yaml")
_TESTS = "tests"
_MARKDOWN_NAMES = re.compile(r"test_|conversation_?tests|e2e", re.IGNORECASE)
_STORIES = re.compile(r"^(?:stories| *- +story) *:", re.MULTILINE)
_TEST_CASES = re.compile(r"^test_cases *:", re.MULTILINE)
_NLU_SECTION = re.compile(r"^## *(?:intent|synonym|regex|lookup) *:", re.MULTILINE)
_STEP = re.compile(r"^\s*\* *[^\s{}:]+(?: *:.*| *\{.*\}| +OR +.*)?$", re.MULTILINE)
_ACTION = re.compile(r"^\s*- *[^\s{}]+ *(?:\{.*\})?$", re.MULTILINE)


def load_stories(path: Path) -> tuple[tuple[Story, ...], tuple[Notice, ...]]:
    """Test stories of a file, or of all files of test stories under a folder, and the notices.

    In a folder these are YAML files named `test_*`, as in Rasa, and of 1.x's Markdown files
    with stories those under `tests/` or with a name such as `test_…`, `e2e_stories` or
    `conversation_tests`. Hidden folders, models, results and virtual environments are passed over.

    Raises:
        ProjectError: the path is missing, or the first error in a file.
    """
    if not path.exists():
        raise ProjectError("no such file or folder", path=path)
    findings = Findings()
    stories: list[Story] = []
    for file in [path] if path.is_file() else _story_files(path, findings):
        source = Source(str(file), findings, file, path if path.is_dir() else path.parent)
        stories += _read(source)
    findings.raise_first(listed="")  # `agent validate` reads no tests
    findings.close()
    return tuple(stories), tuple(findings.notices)


def _read(source: Source) -> tuple[Story, ...]:
    if source.file.suffix == ".md":
        return tuple(read_markdown_tests(source))
    data = read_yaml(source)
    if isinstance(data, dict):
        _tell_test_cases(data, source)
        for key in (key for key in data if key != "stories" and _are_stories(data[key])):
            # Rasa reads nothing of them either and calls the tests passed.
            source.error(f"the stories stand under `{key}:`: write `stories:`", line_of(data, key))
        return read_stories(data.get("stories"), source, line_of(data, "stories"))
    if _are_stories(data):
        source.error("the stories stand alone: write `stories:` above them", 1)
    return ()


def _are_stories(data: object) -> bool:
    return isinstance(data, list) and any(isinstance(x, dict) and "story" in x for x in data)


def _tell_test_cases(data: object, source: Source) -> None:
    if isinstance(data, dict) and "test_cases" in data:
        message = "is an end-to-end test of Rasa Pro, which is not run: write it as `stories:`"
        source.warning(message, line_of(data, "test_cases"), "test_cases")


def _story_files(folder: Path, findings: Findings) -> Iterator[Path]:
    """The files of test stories under a folder; those that are none by their name are told."""
    for file in files_under(folder, (*_YAML, ".md")):
        text = _text(file)
        below_tests = _TESTS in (folder.resolve().name, *file.relative_to(folder).parent.parts)
        source = Source(str(file), findings, file, folder)
        if file.suffix == ".md":
            if (below_tests or _MARKDOWN_NAMES.match(file.name)) and _holds_steps(text):
                yield file
        elif file.name.startswith("test_"):
            if _STORIES.search(text) or _TEST_CASES.search(text):
                yield file
        elif below_tests and _STORIES.search(text):
            source.warning("holds stories but is not named test_*: it is not run, as in Rasa")
        elif below_tests and _TEST_CASES.search(text):
            _tell_test_cases({"test_cases": None}, source)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return "stories:"  # let the reader tell why


def _holds_steps(text: str) -> bool:
    """Whether Markdown holds stories: headings, messages and actions, no training data."""
    marks = (r"^#", _STEP.pattern, _ACTION.pattern)
    return not _NLU_SECTION.search(text) and all(re.search(m, text, re.MULTILINE) for m in marks)
