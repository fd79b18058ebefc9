"""Runs test stories against the policies, as Rasa's tests do, without running actions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.dialogue.events import (
    ActionExecuted,
    ActionExecutionRejected,
    UserUttered,
)
from agent.dialogue.expansion import story_scripts
from agent.dialogue.names import (
    ACTION_LISTEN,
    ACTION_SESSION_START,
    ACTION_UNLIKELY_INTENT,
    BUILTIN_ACTIONS,
    action_names,
)
from agent.dialogue.policies import Policies, compile_policies
from agent.dialogue.scripts import Script, slots_for_entities
from agent.dialogue.tracker import Tracker
from agent.project import load_stories
from agent.project.types import Domain, Notice, Project, Story
from agent.turn import Decision, Understanding
from agent.understanding.rasa_format import parse_result
from knowledge.errors import InputError
from training.policy.fit import learned_policy
from training.testing.story_report import (
    StepResult,
    StoryReport,
    StoryResult,
    coverage_of,
    quoted,
)
from training.testing.story_steps import meanings, told_steps, user_yaml

Understand = Callable[[Sequence[str]], Sequence[Understanding]]
MAX_ACTIONS = 10
"""Actions in one turn after which Rasa stops predicting."""


def run_story_tests(
    project: Project,
    paths: Sequence[Path],
    understand: Understand,
    *,
    policies: Policies | None = None,
) -> StoryReport:
    """Run the test stories of some files and folders.

    Args:
        project: the assistant.
        paths: files, or folders that are read recursively.
        understand: parses `user:` texts, several at once.
        policies: the policies to test; compiled from the project if not given.

    Raises:
        InputError: no story is found, or a file is wrong.
    """
    stories: list[Story] = []
    notices: list[Notice] = []
    for path in paths:
        found, said = load_stories(path)
        stories += found
        notices += said
    if not stories:
        names = ", ".join(str(path) for path in paths)
        hint = "stories stand in files named test_*.yml, those of 1.x in Markdown under tests/"
        raise InputError(f"no test story found in {names}: {hint}")
    report = check_stories(project, stories, understand, policies=policies)
    if not report.stories:
        names = ", ".join(str(path) for path in paths)
        raise InputError(f"no test story in {names} begins without a checkpoint: none was run")
    return replace(report, notices=(*notices, *report.notices))


def check_stories(
    project: Project,
    stories: Sequence[Story],
    understand: Understand,
    *,
    policies: Policies | None = None,
) -> StoryReport:
    """Run test stories that were read already; see run_story_tests."""
    domain = project.domain
    policies = policies or _compiled(project)
    scripts, notices = story_scripts(stories, domain)
    unique, duplicates = _without_duplicates(scripts)
    heard = _understood(unique, understand)
    tested = tuple(_StoryTest(script, domain, policies, heard).run() for script in unique)
    coverage = coverage_of(
        tested,
        intents=list(domain.intents),
        actions=[name for name in action_names(domain) if name not in BUILTIN_ACTIONS],
        rules=[rule.name for rule in project.rules],
    )
    return StoryReport(tested, duplicates, notices, coverage)


def _compiled(project: Project) -> Policies:
    data = compile_policies(project)
    return Policies(project.domain, project.config.policies, data, learned_policy(project))


def _without_duplicates(scripts: Iterable[Script]) -> tuple[list[Script], tuple[str, ...]]:
    """Each way through the stories once: Rasa runs stories that equal each other only once."""
    seen: dict[str, Script] = {}
    twice = []
    for script in scripts:
        key = quoted([event.to_dict() for event in script.events])
        if key in seen:
            twice.append(script.name)
        seen.setdefault(key, script)
    return list(seen.values()), tuple(twice)


def _understood(scripts: Iterable[Script], understand: Understand) -> dict[str, Mapping[str, Any]]:
    """Rasa's parse result of every text that the stories hold."""
    events = (event for script in scripts for event in script.events)
    texts = list(dict.fromkeys(e.text for e in events if isinstance(e, UserUttered) and e.text))
    # Each alone, as in a conversation: in int8 a message's neighbours in a batch tip the scales.
    return {text: parse_result(understand([text])[0]) for text in texts}


@dataclass(slots=True)
class _StoryTest:
    """One story's run: gold events, predicted actions."""

    script: Script
    domain: Domain
    policies: Policies
    heard: Mapping[str, Mapping[str, Any]]

    def run(self) -> StoryResult:
        tracker = Tracker(self.script.name, self.domain)
        steps: list[StepResult] = []
        skip = 0
        for i, event in enumerate(self.script.events):
            if skip:
                skip -= 1
            elif isinstance(event, UserUttered):
                step, message = self._user(event)
                steps.append(step)
                gold = slots_for_entities(event.entities, self.domain)
                tracker.append(message)
                tracker.extend(slots_for_entities(message.entities, self.domain))
                skip = len(gold)
            elif isinstance(event, ActionExecuted) and i:
                steps += self._action(tracker, event)
            else:
                tracker.append(event)
                steps += told_steps(event)
        return StoryResult(self.script.name, self.script.place, tuple(steps))

    def _user(self, gold: UserUttered) -> tuple[StepResult, UserUttered]:
        """Compare what the text means with what the story says; the story's word counts."""
        shown = gold.text or gold.intent or ""
        right = StepResult("user", shown, yaml=user_yaml(gold), intent=gold.intent)
        found = self.heard.get(gold.text or "")
        if found is None:
            return right, gold
        if gold.intent is None:
            return right, replace(gold, parse_data=found)
        if (gold.text or "").startswith("/"):
            gold = _with(gold, entities=found["entities"])
        wanted, got = meanings(gold, found)
        if wanted != got:
            wrong = replace(right, expected=f"{shown}   ({wanted})", predicted=str(got))
            return replace(wrong, reason="understanding"), gold
        if "response_selector" in found:
            gold = _with(gold, response_selector=found["response_selector"])
        return right, gold

    def _action(self, tracker: Tracker, gold: ActionExecuted) -> list[StepResult]:
        """Predict an action; whatever comes out, the conversation goes on as the story says."""
        expected = gold.name or gold.action_text or ""
        decision, predicted = self._predict(tracker, expected)
        if predicted == ACTION_UNLIKELY_INTENT != expected:
            tracker.append(ActionExecuted(timestamp=0.0, name=ACTION_UNLIKELY_INTENT))
            decision, predicted = self._predict(tracker, expected)
        right = predicted == expected
        ran = gold
        if gold.name:
            # A response of a retrieval intent is known to the policies without its key.
            ran = replace(gold, name=_base_action(gold.name))
        # As in Rasa's tests, turns that only rules know are not hidden from other policies.
        tracker.append(replace(ran, policy=decision.policy) if right else ran)
        if right and expected == ACTION_LISTEN:
            return []
        kind = "action" if gold.name else "bot"
        yaml = () if expected == ACTION_LISTEN else (f"- {kind}: {quoted(expected)}",)
        if right:
            return [StepResult("action", expected, yaml=yaml, rules=decision.rules)]
        reason = f"{decision.policy} {decision.confidence:.2f}: {decision.reason}"
        return [StepResult("action", expected, predicted, reason, yaml, decision.rules)]

    def _predict(self, tracker: Tracker, expected: str) -> tuple[Decision, str]:
        """The predicted action; a loop that is not expected is taken to have declined."""
        if _actions_in_turn(tracker) >= MAX_ACTIONS:
            reason = f"{MAX_ACTIONS} actions without listening"
            return Decision("", "", 0.0, reason), "nothing"
        decision = self.policies.decide(tracker)
        predicted = _full_action(decision.action, expected, tracker)
        loop = tracker.active_loop
        if predicted != expected and predicted == loop and loop in self.domain.forms:
            tracker.append(ActionExecutionRejected(timestamp=0.0, name=loop))
            decision = self.policies.decide(tracker)
            predicted = _full_action(decision.action, expected, tracker)
        return decision, predicted


def _actions_in_turn(tracker: Tracker) -> int:
    count = 0
    for event in reversed(tracker.events):
        if isinstance(event, ActionExecuted):
            if event.name in (ACTION_LISTEN, ACTION_SESSION_START):
                break
            count += 1
    return count


def _base_action(name: str) -> str:
    return name.split("/", 1)[0] if name.startswith("utter_") else name


def _full_action(action: str, expected: str, tracker: Tracker) -> str:
    """For a retrieval intent the response that was selected, if the story names one."""
    if action == expected or _base_action(expected) != action or tracker.latest_message is None:
        return action
    selectors = tracker.latest_message.parse_data.get("response_selector") or {}
    selected = selectors.get(action.removeprefix("utter_")) or selectors.get("default") or {}
    return str(selected.get("response", {}).get("utter_action") or action)


def _with(message: UserUttered, **parse_data: Any) -> UserUttered:
    return replace(message, parse_data={**message.parse_data, **parse_data})
