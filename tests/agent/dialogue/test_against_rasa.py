"""The engine against Rasa Open Source 3.6.21: recorded decisions and form runs.

`tests/golden/rasa_policies.jsonl` holds random projects with a conversation each, and what
Rasa's RulePolicy and (Augmented)MemoizationPolicy decided after every event (training states
taken from the applied events; Rasa's cached ones shift where a story repeats a form).
`tests/golden/rasa_forms.jsonl` holds runs of forms, of `action_extract_slots` and of the
two-stage fallback with scripted actions.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.actions.types import ActionRejected, ActionResult
from agent.dialogue import Tracker, find_contradictions
from agent.dialogue.events import Event, UserUtteranceReverted, UserUttered, event_from_dict
from agent.dialogue.extraction import run_extract_slots
from agent.dialogue.forms import run_form
from agent.dialogue.two_stage import run_two_stage_fallback
from agent.project import load_project
from agent.project.types import Project
from tests.agent.dialogue.talk import Actions, policies_of

GOLDEN = Path(__file__).parents[2] / "golden"
LEARNING = ("MemoizationPolicy", "AugmentedMemoizationPolicy")


def rows(name: str) -> list[Any]:
    lines = (GOLDEN / name).read_text("utf-8").splitlines()
    return [pytest.param(json.loads(line), id=f"{i:02}") for i, line in enumerate(lines)]


def written(folder: Path, row: Mapping[str, Any]) -> Project:
    """The project of a row, written to a folder and read again."""
    (folder / "domain.yml").write_text(json.dumps(row["domain"]), "utf-8")
    stories = {"version": "3.1", "stories": row.get("stories"), "rules": row.get("rules")}
    (folder / "data").mkdir()
    (folder / "data" / "stories.yml").write_text(json.dumps(stories), "utf-8")
    policies = [
        {
            "name": "RulePolicy",
            "check_for_contradictions": not row.get("refused"),
            "restrict_rules": not row.get("refused"),
        },
        {"name": LEARNING[bool(row.get("augmented"))], "max_history": row.get("max_history")},
    ]
    config = {"recipe": "default.v1", "language": "en", "policies": policies}
    (folder / "config.yml").write_text(json.dumps(config), "utf-8")
    return load_project(folder)


@pytest.mark.parametrize("row", rows("rasa_policies.jsonl"))
def test_every_decision_is_rasas(row: Mapping[str, Any], tmp_path: Path) -> None:
    project = written(tmp_path, row)
    policies = policies_of(project)
    tracker = Tracker("golden", project.domain)
    events = zip(row["events"], row["decisions"], row["applied"], strict=True)
    for number, (event, expected, applied) in enumerate(events):
        tracker.append(event_from_dict(event))
        made = policies.decide(tracker)
        found = [made.action, made.policy, made.hide_rule_turn, made.loop_interrupted]
        assert (number, found) == (number, expected)
        assert (number, len(tracker.applied_events())) == (number, applied)


@pytest.mark.parametrize("row", rows("rasa_policies.jsonl"))
def test_what_rasa_refuses_to_train_is_reported(row: Mapping[str, Any], tmp_path: Path) -> None:
    project = written(tmp_path, {**row, "refused": False})
    errors = [notice for notice in find_contradictions(project) if notice.level == "error"]
    assert bool(errors) == row["refused"]


@pytest.mark.parametrize("row", rows("rasa_forms.jsonl"))
async def test_forms_and_slots_do_what_rasas_do(row: Mapping[str, Any], tmp_path: Path) -> None:
    project = written(tmp_path, row)
    for run in row["runs"]:
        actions = scripted(project, run["script"])
        tracker = Tracker.from_events("golden", project.domain, run["events"])
        gave: dict[str, Any] = {}
        try:
            result = await perform(run["run"], tracker, project, actions)
            gave["events"] = [shown(event) for event in result.events]
        except ActionRejected as rejection:
            gave["rejected"] = rejection.action
        gave["calls"] = [
            [name, seen.latest_action_name, seen.active_loop]
            for name, seen in zip(actions.called, actions.seen, strict=True)
            if name in project.domain.actions
        ]
        assert gave == run["gave"]


async def perform(name: str, tracker: Tracker, project: Project, actions: Actions) -> ActionResult:
    if name == "action_extract_slots":
        return await run_extract_slots(tracker, project.domain, actions)
    if name == "action_two_stage_fallback":
        return await run_two_stage_fallback(tracker, actions)
    return await run_form(name, tracker, project.domain, actions)


def scripted(project: Project, script: Mapping[str, Any]) -> Actions:
    """The row's actions; those that it does not name do nothing, responses speak."""
    results: dict[str, Any] = {name: [[]] for name in project.domain.actions}
    for name, events in script.items():
        refuses = events == "reject"
        results[name] = (
            ActionRejected(name) if refuses else [[event_from_dict(event) for event in events]]
        )
    results["action_default_ask_rephrase"] = [[]]
    results["action_default_fallback"] = [[UserUtteranceReverted()]]
    return Actions(**results)


def shown(event: Event) -> list[Any]:
    data = event.to_dict()
    name = event.intent if isinstance(event, UserUttered) else data.get("name")
    return [event.kind, name or None, data.get("value") if event.kind == "slot" else None]
