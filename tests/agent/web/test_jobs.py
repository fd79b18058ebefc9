from pathlib import Path

import pytest
from ruamel.yaml import YAML

from agent.errors import InputError
from agent.web.rasa.jobs import Jobs, write_project
from tests.agent.web.serving import Served

DOCUMENT = """
version: "3.1"
language: en
pipeline: [{name: WhitespaceTokenizer}]
intents: [greet, bye]
responses: {utter_greet: [{text: "Hé!"}]}
nlu:
  - intent: greet
    examples: |
      - hello
      - hi there
rules:
  - rule: greet
    steps: [{intent: greet}, {action: utter_greet}]
"""


def test_one_document_becomes_a_projects_files(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("understanding: {method: head}\n")
    write_project(tmp_path / "made", DOCUMENT.encode(), settings)
    read = YAML(typ="safe").load
    config = read((tmp_path / "made" / "config.yml").read_text("utf-8"))
    domain = read((tmp_path / "made" / "domain.yml").read_text("utf-8"))
    data = read((tmp_path / "made" / "data" / "training.yml").read_text("utf-8"))
    assert config == {"language": "en", "pipeline": [{"name": "WhitespaceTokenizer"}]}
    assert domain["responses"] == {"utter_greet": [{"text": "Hé!"}]}
    assert set(data) == {"version", "nlu", "rules"}
    assert data["nlu"][0]["examples"] == "- hello\n- hi there\n"
    assert (tmp_path / "made" / "settings.yml").read_text() == settings.read_text()


@pytest.mark.parametrize("body", [b"", b"x", b"[1]", b"{", b"\xff", b"intents: [a]", b"nlu: []"])
def test_what_is_no_project_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(InputError):
        write_project(tmp_path / "made", body, tmp_path / "none.yml")


async def test_one_job_runs_at_a_time(served: Served) -> None:
    jobs: Jobs = served.services.jobs
    async with jobs._alone():
        answer = await served.http.post("/model/train", content=DOCUMENT.encode())
    assert answer.status_code == 409
    assert not list((jobs.root / ".agent").glob("job-*"))


async def test_what_the_command_says_of_a_wrong_project_is_the_answer(served: Served) -> None:
    broken = DOCUMENT.replace("intent: greet\n    examples", "intent: greet\n    exampels")
    answer = await served.http.post("/model/train", content=broken.encode())
    assert answer.status_code == 400, answer.text
    assert "Traceback" not in answer.text
