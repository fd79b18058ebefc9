"""The dialogue engine alone: decisions in short and long talks, and what is learned of stories."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from agent.dialogue import Policies, Tracker, action_events, compile_policies
from agent.dialogue.events import ActiveLoop, UserUtteranceReverted, UserUttered
from agent.dialogue.featurizer import State
from agent.dialogue.learned import LearnedPolicy
from agent.project import load_project
from agent.project.types import (
    ActionStep,
    Domain,
    EntityType,
    Intent,
    Project,
    Slot,
    SlotStep,
    StepEntity,
    Story,
    UserStep,
)
from knowledge.project_folder import bundled_assistant
from training.policy.examples import Turn, story_turns
from training.policy.fit import learned_policy
from training.policy.linear import HISTORY, fit_dialogue_linear

EVENTS = 4000
FOLDS = 5
MAX_HISTORY = 5


def run(data: Path) -> dict[str, float]:
    """Milliseconds of a decision early and late in a talk; accuracy on held-out stories.

    `late_over_early` compares decisions after more than 3,000 events with those among the
    first 200. Accuracies are shares of all actions and (`_acts`) of those other than
    action_listen, for the most frequent action, memoization and the learned policy: `bank_*`
    over five folds of the bundled assistant's stories, `sgd_*` on SGD's test dialogues, where
    `data` has them.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    project = load_project(bundled_assistant())
    begun = perf_counter()
    compiled = compile_policies(project)
    learned = learned_policy(project)
    learning_s = perf_counter() - begun
    policies = Policies(project.domain, project.config.policies, compiled, learned)
    early, late = _decisions_ms(project, policies)
    figures = {
        "learning_s": round(learning_s, 3),
        "early_ms": round(early, 4),
        "late_ms": round(late, 4),
        "late_over_early": round(late / early, 2),
        **_scores("bank", list(_folds(project))),
    }
    if (data / "sgd" / "dialogues.jsonl").is_file():
        figures |= _scores("sgd", [_sgd(data / "sgd" / "dialogues.jsonl")])
    return figures


def _decisions_ms(project: Project, policies: Policies) -> tuple[float, float]:
    tracker = Tracker("benchmark", project.domain)
    taken: list[tuple[int, float]] = []
    for intent in cycle(project.domain.intents):
        if len(tracker.events) > EVENTS:
            break
        parse_data = {"intent": {"name": intent, "confidence": 1.0}, "entities": []}
        tracker.append(UserUttered(text="…", parse_data=parse_data))
        taken += [(len(tracker.events), ms) for ms in _turn_ms(tracker, policies, project.domain)]
    early = [ms for events, ms in taken if events < 200]
    return median(early), median(ms for events, ms in taken if events > EVENTS - 1000)


def _turn_ms(tracker: Tracker, policies: Policies, domain: Domain) -> Iterator[float]:
    for _ in range(10):
        begun = perf_counter()
        decision = policies.decide(tracker)
        yield (perf_counter() - begun) * 1000
        events: list[Any] = []
        if decision.action in domain.forms:
            running = tracker.active_loop == decision.action
            events = [ActiveLoop(name=None if running else decision.action)]
        elif decision.action == "action_default_fallback":
            events = [UserUtteranceReverted()]
        tracker.extend(action_events(decision, events, domain))
        if decision.action == "action_listen":
            return


Split = tuple[list[Turn], list[Turn]]
Guess = Callable[[Sequence[State]], str | None]


def _folds(project: Project) -> Iterator[Split]:
    """Turns of four fifths of the stories and of the fifth that is held out, five times."""
    stories = project.stories
    for fold in range(FOLDS):
        held = [story for i, story in enumerate(stories) if i % FOLDS == fold]
        kept = [story for i, story in enumerate(stories) if i % FOLDS != fold]
        yield _turns(project.domain, kept), _turns(project.domain, held)


def _sgd(path: Path) -> Split:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    dialogues = {split: [r for r in rows if r["split"] == split] for split in ("train", "test")}
    stories = {split: [_sgd_story(row) for row in found] for split, found in dialogues.items()}
    domain = _domain_of(story for found in stories.values() for story in found)
    return _turns(domain, stories["train"]), _turns(domain, stories["test"])


def _turns(domain: Domain, stories: Iterable[Story]) -> list[Turn]:
    return story_turns(Project(Path(), domain, stories=tuple(stories)), MAX_HISTORY)


def _sgd_story(row: Mapping[str, Any]) -> Story:
    """A dialogue as a story: acts are intents and actions, the goal and the slots are slots."""
    steps: list[UserStep | SlotStep | ActionStep] = []
    known: dict[str, Any] = {}
    for turn in row["turns"]:
        kinds = sorted({act.split("(")[0] for act in turn["acts"]})
        if turn["speaker"] == "system":
            asked = {act for act in turn["acts"] if act.startswith("REQUEST(")}
            steps.append(ActionStep("+".join(sorted({k for k in kinds if k != "REQUEST"} | asked))))
            continue
        labels = {entity["label"] for entity in turn["entities"]}
        labels |= {act[8:-1] for act in turn["acts"] if act.startswith("REQUEST(")}
        steps.append(UserStep("+".join(kinds), tuple(StepEntity(n, "x") for n in sorted(labels))))
        told = {name.split(".")[1]: values[0] for name, values in turn["slots"].items()}
        told["goal"] = turn["intent"]
        steps += [SlotStep(n, v) for n, v in sorted(told.items()) if v and known.get(n) != v]
        known |= told
    return Story(row["id"], tuple(steps))


def _domain_of(stories: Iterable[Story]) -> Domain:
    slots, goals, labels, intents = set(), set(), set(), set()
    for story in stories:
        for step in story.steps:
            if isinstance(step, SlotStep):
                slots.add(step.slot)
                goals |= {step.value} if step.slot == "goal" else set()
            elif isinstance(step, UserStep):
                intents.add(str(step.intent))
                labels |= {entity.entity for entity in step.entities}
    goal = Slot("goal", "categorical", values=tuple(sorted(goals)))
    return Domain(
        intents={name: Intent(name) for name in sorted(intents)},
        entities={name: EntityType(name) for name in sorted(labels)},
        slots={name: Slot(name, "text") for name in sorted(slots)} | {"goal": goal},
    )


def _scores(name: str, splits: Sequence[Split]) -> dict[str, float]:
    """Accuracies over all splits, by who guesses."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for train, test in splits:
        for who, guess in _guessers(train).items():
            for states, action in test:
                kinds = [who] if action == "action_listen" else [who, f"{who}_acts"]
                hit = guess(states) == action
                for kind in kinds:
                    total[kind] += 1
                    right[kind] += hit
    return {f"{name}_{kind}": round(right[kind] / total[kind], 3) for kind in total}


def _guessers(train: Sequence[Turn]) -> dict[str, Guess]:
    most = Counter(action for _, action in train).most_common(1)[0][0]
    memory: dict[tuple[State, ...], str | None] = {}
    for states, action in train:
        memory[states] = action if memory.get(states, action) == action else None
    learned = LearnedPolicy(*fit_dialogue_linear([(s[-HISTORY - 1 :], a) for s, a in train]))

    def generalize(states: Sequence[State]) -> str | None:
        found = learned.predict(states)
        return found[0] if found else None

    return {
        "most_frequent": lambda _: most,
        "memoization": lambda states: memory.get(tuple(states)),
        "learned": generalize,
    }
