"""Rules held against all rules and stories: contradictions, and what no story shows."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.dialogue.events import ActionExecuted, ActionExecutionRejected
from agent.dialogue.expansion import project_scripts
from agent.dialogue.names import ACTION_LISTEN, RULE_SNIPPET, SHOULD_NOT_BE_SET
from agent.dialogue.rule_checks import incomplete_rules, restricted_rules
from agent.dialogue.rule_training import (
    Run,
    action_of,
    after_snippet,
    loop_conditions,
    rules_of,
    run_script,
    set_slots_only,
)
from agent.dialogue.rules import (
    BUILTIN_RULES,
    LearnedRule,
    LoopCondition,
    RulePolicy,
    RulePrediction,
    States,
    builtin_source,
    latest_state,
    loop_source,
)
from agent.dialogue.scripts import Script
from agent.dialogue.story_conflicts import find_conflicts
from agent.dialogue.tracker import Tracker
from agent.project.types import Domain, Notice, PolicyConfig, Project


@dataclass(frozen=True, slots=True)
class RuleOnly:
    """What occurs in rules but in no story: hidden from the policies that learn from stories.

    `sources` names the built-in behaviours (see builtin_source, loop_source).
    """

    slots: frozenset[str] = frozenset()
    loops: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LearnedRules:
    """All that the rule policy needs, and what is wrong with the project's rules."""

    rules: tuple[LearnedRule, ...] = ()
    loops: tuple[LoopCondition, ...] = ()
    rule_only: RuleOnly = field(default_factory=RuleOnly)
    notices: tuple[Notice, ...] = ()


def find_contradictions(project: Project) -> list[Notice]:
    """Where rules and stories contradict each other, and rules are incomplete or hold too much."""
    scripts = project_scripts(project)
    policies = project.config.policies
    learned = learn_rules(scripts.rules, scripts.stories, project.domain, policies)
    conflicts = find_conflicts(scripts.stories, project.domain)
    return [*scripts.notices, *learned.notices, *conflicts]


def learn_rules(
    rules: Sequence[Script], stories: Sequence[Script], domain: Domain, config: PolicyConfig
) -> LearnedRules:
    """Learn the rules, hold them against all scripts, and mark what no story shows."""
    rule_runs = [run_script(script, domain) for script in rules]
    story_runs = [run_script(script, domain) for script in stories]
    learned = tuple(rules_of(rule_runs))
    loops = tuple(loop_conditions([*rule_runs, *story_runs]))
    notices = list(restricted_rules(rules)) if config.restrict_rules else []
    if not config.check_for_contradictions:
        return LearnedRules(learned, loops, RuleOnly(), tuple(notices))
    notices += incomplete_rules(rule_runs, domain)
    check = _Check(learned, loops, domain, config)
    check.play(rule_runs, story_runs)
    rule_only = _rule_only(rule_runs, story_runs, check.unused_behaviour())
    return LearnedRules(check.marked_rules(), loops, rule_only, (*notices, *check.notices))


@dataclass(frozen=True, slots=True)
class _Turn:
    """A predictable action of a script, what the rules predict, and what that rests on."""

    script: Script
    gold: str
    predicted: str | None
    rule: LearnedRule | None
    source: str
    builtin: bool


class _Check:
    """Plays scripts against the rules; rules that stories overrule are dropped on the way."""

    def __init__(
        self,
        rules: Sequence[LearnedRule],
        loops: Sequence[LoopCondition],
        domain: Domain,
        config: PolicyConfig,
    ) -> None:
        self._keys = {rule.states: _key(rule.states) for rule in rules}
        self._loops, self._domain, self._config = loops, domain, config
        self._policy = RulePolicy(rules, loops)
        # What was seen to follow from each rule or built-in behaviour, and in which rule.
        self._sources: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
        self._used: set[str] = set()
        self.notices: list[Notice] = []

    def play(self, rule_runs: Sequence[Run], story_runs: Sequence[Run]) -> None:
        """Learn which rules rest on what, then check every turn."""
        for run in rule_runs:
            for turn in self._turns(run):
                name = turn.source if turn.builtin else turn.script.name
                action = turn.predicted if turn.builtin else turn.gold
                self._sources[turn.source][name, action or ""] = None
        for run in (*rule_runs, *story_runs):
            for turn in self._turns(run):
                self._check(turn)

    def marked_rules(self) -> tuple[LearnedRule, ...]:
        """The rules that remain, marked where no story shows them."""
        unseen = self._sources.keys() - self._used
        rules = self._policy.rules
        return tuple(replace(r, only_in_rules=self._keys[r.states] in unseen) for r in rules)

    def unused_behaviour(self) -> frozenset[str]:
        """The built-in behaviours that no story shows."""
        sources = {builtin_source(intent) for intent in BUILTIN_RULES}
        sources |= {loop_source(form) for form in self._domain.forms}
        sources |= {loop_source(form, ACTION_LISTEN) for form in self._domain.forms}
        seen = {source for source in self._sources if not source.startswith("[")}
        return frozenset((sources | seen) - self._used)

    def _turns(self, run: Run) -> Iterator[_Turn]:
        tracker = Tracker(run.script.name, self._domain)
        unpredictable = True
        for event in run.tracker.applied_events():
            if isinstance(event, ActionExecuted):
                if event.name == RULE_SNIPPET:
                    unpredictable = True
                elif unpredictable or event is run.script.first_action:
                    unpredictable = False
                else:
                    yield self._turn(run, tracker, action_of(event))
            tracker.append(event)

    def _turn(self, run: Run, tracker: Tracker, gold: str) -> _Turn:
        prediction = self._policy.predict(tracker)
        loop = tracker.active_loop
        if loop and prediction.action == loop != gold:
            # Off the happy path the loop has declined, which no script shows.
            tracker.append(ActionExecutionRejected(timestamp=0.0, name=loop))
            prediction = self._policy.predict(tracker)
        predicted = prediction.action
        if predicted is None and run.script.is_rule:
            predicted = self._fallback()
        source, builtin = self._source(prediction, tracker)
        return _Turn(run.script, gold, predicted, prediction.rule, source, builtin)

    def _fallback(self) -> str:
        config = self._config
        return config.core_fallback_action if config.enable_fallback_prediction else ACTION_LISTEN

    def _source(self, prediction: RulePrediction, tracker: Tracker) -> tuple[str, bool]:
        if prediction.rule:
            return self._keys[prediction.rule.states], False
        if prediction.action:
            return prediction.source, True
        states = [*(frame.state for frame in tracker.frames), latest_state(tracker.applied)]
        return _key(after_snippet(states)), False

    def _check(self, turn: _Turn) -> None:
        if turn.predicted is None:
            return
        if turn.predicted == turn.gold:
            if not turn.script.is_rule:
                self._used.add(turn.source)
        elif self._story_overrules(turn):
            kept = [rule for rule in self._policy.rules if rule is not turn.rule]
            self._policy = RulePolicy(kept, self._loops)
        else:
            known = self._sources.get(turn.source, {})
            rules = dict.fromkeys(name for name, action in known if action != turn.gold)
            if rules:
                self.notices.append(_contradiction(turn, rules, self._fallback()))

    def _story_overrules(self, turn: _Turn) -> bool:
        """Whether a rule's bare `action, then listen` only stands for lack of what follows it."""
        if turn.script.is_rule or turn.rule is None or len(turn.rule.states) > 1:
            return False
        if turn.predicted != ACTION_LISTEN:
            return False
        stem = turn.source[:-2]
        others = (self._keys[r.states] for r in self._policy.rules if r is not turn.rule)
        return any(other.startswith(stem) for other in others)


def _key(states: States) -> str:
    return json.dumps([state.to_json() for state in states], sort_keys=True)


def _rule_only(
    rule_runs: Sequence[Run], story_runs: Sequence[Run], sources: frozenset[str]
) -> RuleOnly:
    rule_slots, rule_loops = _occurring(rule_runs, omit_unset=True)
    story_slots, story_loops = _occurring(story_runs, omit_unset=False)
    loops = rule_loops - story_loops - {SHOULD_NOT_BE_SET}
    return RuleOnly(frozenset(rule_slots - story_slots), frozenset(loops), sources)


def _occurring(runs: Sequence[Run], omit_unset: bool) -> tuple[set[str], set[str]]:
    slots: set[str] = set()
    loops: set[str] = set()
    for run in runs:
        for frame in run.tracker.frames:
            state = set_slots_only(frame) if omit_unset else frame.state
            slots.update(name for name, _ in state.slots)
            if state.loop:
                loops.add(state.loop)
    return slots, loops


def _contradiction(turn: _Turn, rules: Iterable[str], fallback: str) -> Notice:
    kind = "rule" if turn.script.is_rule else "story"
    named = turn.source if turn.builtin else "rule " + ", ".join(repr(rule) for rule in rules)
    text = f"{kind} {turn.script.name!r} goes on with {turn.gold!r} and contradicts {named}"
    if turn.predicted != fallback:
        text += f", which goes on with {turn.predicted!r}"
    return Notice(text, turn.script.place, "rules" if turn.script.is_rule else "stories", "error")
