"""Every part of the format malformed once: the error names file, line and key."""

from dataclasses import dataclass

import pytest

from agent.errors import ProjectError
from agent.project import Notice, load_project, read_project, validate
from tests.agent.project.conftest import MakeProject


@dataclass(frozen=True)
class Case:
    """A file's text, and where and how the finding must be told."""

    file: str
    text: str
    line: int
    key: str
    words: str
    level: str = "error"


def domain(text: str, line: int, key: str, words: str, level: str = "error") -> Case:
    return Case("domain.yml", text, line, key, words, level)


def nlu(text: str, line: int, key: str, words: str, level: str = "error") -> Case:
    return Case("data/nlu.yml", text, line, key, words, level)


def story(step: str, line: int, key: str, words: str, level: str = "error") -> Case:
    lines = step.split("\n")
    text = "stories:\n- story: s\n  steps:\n" + "".join(f"  {line}\n" for line in lines)
    return Case("data/stories.yml", text, line, key, words, level)


def config(text: str, line: int, key: str, words: str, level: str = "error") -> Case:
    return Case("config.yml", text, line, key, words, level)


SLOT = "slots:\n  s:\n    type: text\n    mappings:\n"
CASES = [
    # the shape of files
    domain("- a\n", 0, "", "holds no domain", "warning"),
    domain("intents: [a]\nintents: [b]\n", 2, "intents", "stands here twice"),
    domain("colour: red\nintents: []\n", 1, "colour", "unknown", "warning"),
    domain('version: "9.9"\nintents: []\n', 1, "", "version '9.9' is unknown", "warning"),
    domain(
        "slots:\n  s:\n    type: text\n    mappings:\n    - type: from_llm\n",
        5,
        "slots.s.mappings[0]",
        "of Rasa Pro",
    ),
    domain("intents:\n- a: [\n", 3, "", "broken YAML"),
    # intents, entities, actions
    domain("intents: a\n", 1, "intents", "must be a list"),
    domain("intents:\n- a\n- 5\n", 3, "intents[1]", "is no name"),
    domain("intents:\n- true\n", 2, "intents[0]", "put it in quotes"),
    domain("intents:\n- a: yes\n", 2, "intents.a", "must be a mapping"),
    domain("intents:\n- a:\n    use_entities: {b: 1}\n", 3, "intents.a", "`use_entities`"),
    domain("entities:\n- e: 5\n", 2, "entities.e", "must be a mapping"),
    domain("entities:\n- e:\n    roles: [5]\n", 3, "entities.e", "`roles`"),
    domain("actions: {a: b}\n", 1, "actions", "must be a list"),
    domain("actions:\n- [a]\n", 2, "actions[0]", "is no name"),
    # slots
    domain("slots: [a]\n", 1, "slots", "must be a mapping"),
    domain("slots:\n  s: text\n", 2, "slots.s", "must be a mapping"),
    domain("slots:\n  s:\n    type: number\n", 3, "slots.s.type", "not 'number'"),
    domain("slots:\n  s: {mappings: []}\n", 2, "slots.s.type", "not None"),
    domain("slots:\n  s:\n    type: own.MySlot\n", 3, "slots.s.type", "is not run", "warning"),
    domain(
        "slots:\n  s:\n    type: float\n    max_value: x\n", 4, "slots.s.max_value", "is a number"
    ),
    domain(
        "slots:\n  s:\n    type: bool\n    influence_conversation: maybe\n",
        4,
        "slots.s.influence_conversation",
        "true or false",
    ),
    domain("slots:\n  s: {type: categorical, values: 5}\n", 2, "slots.s.values", "a list"),
    domain("slots:\n  s: {type: text, colour: 1}\n", 2, "slots.s", "'colour'", "warning"),
    domain("slots:\n  s: {type: text, mappings: x}\n", 2, "slots.s.mappings", "must be a list"),
    domain(SLOT + "    - type: guess\n", 5, "slots.s.mappings[0]", "not 'guess'"),
    domain(SLOT + "    - x\n", 5, "slots.s.mappings[0]", "not 'x'"),
    domain(SLOT + "    - type: from_entity\n", 5, "slots.s.mappings[0]", "needs `entity`"),
    domain(SLOT + "    - type: from_intent\n", 5, "slots.s.mappings[0]", "needs `value`"),
    domain(
        SLOT + "    - type: from_entity\n      entity: [a]\n",
        6,
        "slots.s.mappings[0]",
        "`entity` is a name",
    ),
    domain(
        SLOT + "    - type: from_text\n      conditions: x\n",
        6,
        "slots.s.mappings[0]",
        "`conditions`",
    ),
    domain(
        SLOT + "    - type: from_text\n      conditions:\n      - active_loop: f\n",
        2,
        "slots.s.mappings[0]",
        "the form 'f'",
    ),
    domain(
        SLOT + "    - type: from_entity\n      entity: e\n",
        2,
        "slots.s.mappings[0]",
        "the entity 'e'",
        "warning",
    ),
    domain(
        SLOT + "    - type: from_text\n      intent: i\n",
        2,
        "slots.s.mappings[0]",
        "the intent 'i'",
        "warning",
    ),
    domain(
        "intents:\n- x:\n    use_entities: [nope]\n", 2, "intents.x", "entity 'nope'", "warning"
    ),
    domain(
        "intents:\n- x: {use_entities: [e], ignore_entities: [e]}\nentities: [e]\n",
        2,
        "intents.x",
        "uses and ignores",
        "warning",
    ),
    domain("intents:\n- x:\n    foo: 1\n", 3, "intents.x", "'foo' is unknown", "warning"),
    domain("entities:\n- e:\n    groups: 5\n", 3, "entities.e", "`groups`"),
    domain("entities:\n- e:\n    foo: 5\n", 3, "entities.e", "'foo' is unknown", "warning"),
    domain(
        "entities:\n- e:\n    influence_conversation: maybe\n",
        3,
        "entities.e.influence_conversation",
        "true or false",
    ),
    domain("actions:\n- a: 5\n", 2, "actions.a", "must be a mapping"),
    domain("actions:\n- a:\n    send_domain: maybe\n", 3, "actions.a.send_domain", "true or false"),
    domain("e2e_actions: 5\n", 1, "e2e_actions", "must be a list"),
    domain("config: 5\n", 1, "config", "must be a mapping"),
    domain(
        "config:\n  store_entities_as_slots: maybe\n",
        2,
        "config.store_entities_as_slots",
        "true or false",
    ),
    domain("config:\n  foo: 1\n", 2, "config.foo", "unknown", "warning"),
    domain(
        "slots:\n  s: {type: bool, initial_value: x, mappings: []}\n",
        2,
        "slots.s.initial_value",
        "no value of a bool slot",
        "warning",
    ),
    domain(
        "slots:\n  s: {type: categorical, values: [a], initial_value: b, mappings: []}\n",
        2,
        "slots.s.initial_value",
        "'b' is no value",
        "warning",
    ),
    domain(
        "slots:\n  s: {type: list, initial_value: 5, mappings: []}\n",
        2,
        "slots.s.initial_value",
        "5 is no value of a list slot",
        "warning",
    ),
    domain(
        "slots:\n  s:\n    type: float\n    min_value: 5\n    mappings: []\n",
        4,
        "slots.s.max_value",
        "not above the least value 5",
    ),
    domain(
        SLOT + "    - type: from_text\n      foo: 1\n", 6, "slots.s.mappings[0]", "'foo'", "warning"
    ),
    domain(SLOT + "    - type: from_trigger_intent\n", 5, "slots.s.mappings[0]", "needs `value`"),
    domain(
        SLOT + "    - type: from_text\n      conditions:\n      - loop: f\n",
        6,
        "slots.s.mappings[0]",
        "`conditions`",
    ),
    domain(
        SLOT + "    - type: from_text\n      conditions:\n      - requested_slot: nope\n",
        2,
        "slots.s.mappings[0]",
        "the slot 'nope'",
        "warning",
    ),
    domain(
        SLOT + "    - type: custom\n      action: action_nope\n",
        2,
        "slots.s.mappings[0]",
        "the action 'action_nope'",
        "warning",
    ),
    domain(
        SLOT + "    - type: from_text\n      not_intent: nope\n",
        2,
        "slots.s.mappings[0]",
        "the intent 'nope'",
        "warning",
    ),
    # forms
    domain("forms:\n  f: {}\n", 2, "forms.f", "asks for no slots", "warning"),
    domain(
        "forms:\n  f: {required_slots: [], ignored_intents: 5}\n", 2, "forms.f", "`ignored_intents`"
    ),
    domain(
        "forms:\n  f: {required_slots: [], ignored_intents: [nope]}\n",
        2,
        "forms.f.ignored_intents",
        "the intent 'nope'",
        "warning",
    ),
    domain("forms: 5\n", 1, "forms", "must be a mapping"),
    domain("forms:\n  f: 5\n", 2, "forms.f", "`required_slots`"),
    domain("forms:\n  f: {required_slots: 5}\n", 2, "forms.f", "a list of names"),
    domain("forms:\n  f: {required_slots: [a]}\n", 2, "forms.f", "the slot 'a'"),
    domain(
        SLOT + "    - type: from_text\nforms:\n  f: {required_slots: [s]}\n",
        7,
        "forms.f",
        "nothing asks for the slot 's'",
        "warning",
    ),
    # responses
    domain("responses: [a]\n", 1, "responses", "must be a mapping"),
    domain("responses:\n  utter_a: {text: A}\n", 2, "responses.utter_a", "list of variations"),
    domain("responses:\n  utter_a:\n  - 5\n", 2, "responses.utter_a", "not 5"),
    domain("responses:\n  utter_a:\n  - channel: x\n", 3, "responses.utter_a", "none of text"),
    domain("responses:\n  utter_a:\n  - text: {name}\n", 3, "responses.utter_a.text", "quotes"),
    domain("responses:\n  utter_a:\n  - txt: A\n", 3, "responses.utter_a", "'txt'", "warning"),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    buttons: x\n",
        4,
        "responses.utter_a.buttons",
        "must be a list",
    ),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    buttons:\n    - Yes\n",
        5,
        "responses.utter_a.buttons",
        "must be a mapping",
    ),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    condition:\n    - name: s\n",
        5,
        "responses.utter_a.condition",
        "needs `type: slot`",
    ),
    domain("responses:\n  utter_a: []\n", 2, "responses.utter_a", "list of variations"),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    id: [5]\n", 4, "responses.utter_a.id", "no text"
    ),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    quick_replies: 5\n",
        4,
        "responses.utter_a.quick_replies",
        "list of mappings",
    ),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    elements: 5\n",
        4,
        "responses.utter_a.elements",
        "list of mappings",
    ),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    buttons:\n    - payload: /greet\n",
        5,
        "responses.utter_a.buttons",
        "no title",
        "warning",
    ),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    buttons:\n    - {title: B, payload: /nope}\n",
        2,
        "responses.utter_a.buttons",
        "the intent 'nope'",
        "warning",
    ),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    buttons:\n"
        "    - title: B\n      payload: '/greet{\"a\"'\n",
        2,
        "responses.utter_a.buttons",
        "no JSON object",
        "warning",
    ),
    domain(
        "responses:\n  utter_a:\n  - text: A\n    condition:\n"
        "    - {type: slot, name: nope, value: 1}\n",
        2,
        "responses.utter_a",
        "the slot 'nope'",
        "warning",
    ),
    # session and config
    domain("session_config:\n  foo: 1\n", 2, "session_config.foo", "unknown", "warning"),
    domain("session_config: 5\n", 1, "session_config", "must be a mapping"),
    domain(
        "session_config:\n  session_expiration_time: -1\n",
        2,
        "session_config.session_expiration_time",
        "number of minutes",
    ),
    domain(
        "session_config:\n  carry_over_slots_to_new_session: maybe\n",
        2,
        "session_config.carry_over_slots_to_new_session",
        "true or false",
    ),
    # training data
    nlu("nlu: x\n", 1, "nlu", "must be a list"),
    nlu("nlu:\n- x\n", 2, "nlu[0]", "must be a mapping"),
    nlu("nlu:\n- intents: x\n", 2, "nlu[0]", "needs one of intent"),
    nlu("nlu:\n- intent: 5\n", 2, "intent", "put the name in quotes"),
    nlu("nlu:\n- intent:\n", 2, "intent", "is empty"),
    nlu("nlu:\n- intent: a\n", 2, "a", "has no examples", "warning"),
    nlu("nlu:\n- intent: a\n  examples: {b: c}\n", 3, "a", "block of `- text` lines"),
    nlu("nlu:\n- intent: a\n  examples:\n  - 5\n", 4, "a", "needs `text: …`"),
    nlu("nlu:\n- intent: a\n  examples: []\n", 3, "a", "has no examples", "warning"),
    nlu("nlu:\n- intent: a\n  example: |\n    - b\n", 3, "intent a", "'example'", "warning"),
    nlu('nlu:\n- intent: a\n  examples: |\n    - [b]{"c"}\n', 4, "a", "is not JSON"),
    nlu("nlu:\n- intent: a\n  examples: |\n    - [b](\n", 4, "a", "looks like", "warning"),
    nlu(
        "nlu:\n- intent: a\n  examples:\n  - text: b\n    metadata: {labels: [x]}\n",
        4,
        "a",
        "`labels`",
    ),
    nlu('nlu:\n- intent: a\n  examples: |\n    - [b]{"entity": 5}\n', 4, "a", "no `entity`"),
    nlu(
        'nlu:\n- intent: a\n  examples: |\n    - [b]{"entity": "e", "rule": "r"}\n',
        4,
        "a",
        "rule is unknown",
    ),
    nlu(
        'nlu:\n- intent: a\n  examples: |\n    - [b][{"entity": "e"}, {"entity"}]\n',
        4,
        "a",
        "is not JSON",
    ),
    nlu("nlu:\n- intent: a\n  examples: |\n    b\n    - c\n", 4, "a", "is not read", "warning"),
    nlu("nlu:\n- lookup: l\n", 2, "lookup l", "has no examples", "warning"),
    nlu(
        "nlu:\n- synonym: a\n  examples: |\n    - x\n- synonym: b\n  examples: |\n    - x\n",
        7,
        "",
        "a synonym of 'a' and of 'b'",
        "warning",
    ),
    nlu("nlu:\n- regex: r\n  examples: |\n    - (\n", 0, "regex r", "no regular expression"),
    nlu(
        "nlu:\n- regex: r\n  examples: |\n    - (a|aa)+$\n",
        0,
        "regex r",
        "takes too long on texts such as",
        "warning",
    ),
    nlu("nlu:\n- lookup: l\n  examples: 5\n", 3, "lookup l", "block of `- text` lines"),
    nlu("nlu:\n- synonym: s\n  examples:\n  - [a]\n", 4, "synonym s", "must be text"),
    nlu(
        "nlu:\n- intent: faq/a\n  examples: |\n    - b\n",
        4,
        "responses.utter_faq/a",
        "has no response",
    ),
    nlu(
        "nlu:\n- intent: greet\n  examples: |\n    - hi\n    - yo\n"
        "- intent: bye\n  examples: |\n    - Hi\n    - bye\n",
        8,
        "intents.bye",
        "keep one",
        "warning",
    ),
    nlu(
        "nlu:\n- intent: greet\n  examples: |\n    - hi\n",
        4,
        "intents.greet",
        "one example only",
        "warning",
    ),
    nlu(
        "nlu:\n- intent: other\n  examples: |\n    - a\n    - b\n",
        4,
        "intents.other",
        "not in the domain",
        "warning",
    ),
    nlu(
        "nlu:\n- intent: greet\n  examples: |\n    - hi\n    - I am [Ann](person)\n",
        5,
        "entities.person",
        "not in the domain",
        "warning",
    ),
    # stories and rules
    Case("data/stories.yml", "stories: x\n", 1, "stories", "must be a list"),
    Case("data/stories.yml", "stories:\n- steps: []\n", 2, "stories[0]", "needs `story: a name`"),
    Case("data/stories.yml", "stories:\n- story: s\n  steps: x\n", 3, "story s", "list of steps"),
    story("- x", 4, "story s", "must be a mapping"),
    story("- intents: x", 4, "story s", "needs one of intent"),
    story("- intent:", 4, "story s: intent", "is empty"),
    story("- intent: 5", 4, "story s: intent", "not a name"),
    story("- intent: nope", 4, "intents.nope", "'nope' is not in the domain"),
    story("- intent: greet\n  entities: 5", 5, "story s: intent", "`entities` must be"),
    story(
        "- intent: greet\n  entities:\n  - {a: 1, b: 2}",
        6,
        "story s: intent",
        "must be `name: value`",
    ),
    story(
        "- intent: greet\n  entities:\n  - thing: 1",
        4,
        "entities.thing",
        "'thing' is not in the domain",
        "warning",
    ),
    story('- user: |\n    [a]{"b"}\n  intent: greet', 6, "story s: intent", "is not JSON"),
    story("- action: action_nope", 4, "actions.action_nope", "not in the domain"),
    story("- action: utter_nope", 4, "responses.utter_nope", "is missing"),
    story("- action:", 4, "story s: action", "is empty"),
    story("- active_loop: nope_form", 4, "forms.nope_form", "not in the domain"),
    story("- active_loop: [a]", 4, "story s: active_loop", "is a name or null"),
    story("- slot_was_set:\n  - nope: 1", 5, "slots.nope", "not in the domain"),
    story("- slot_was_set: 5", 4, "story s: slot_was_set", "must be a list"),
    story("- slot_was_set:\n  - [a]", 5, "story s: slot_was_set", "must be `name: value`"),
    story("- checkpoint: [a]", 4, "story s: checkpoint", "not a name"),
    story("- checkpoint: c\n  slot_was_set:\n  - s", 4, "story s: checkpoint", "need values"),
    story("- or: greet", 4, "story s: or", "must be a list"),
    story("- or:\n  - action: utter_greet", 5, "story s: or", "may hold"),
    story("- intent: greet\n  colour: red", 5, "story s", "'colour'", "warning"),
    story("- user: 5", 4, "story s: user", "use quotes"),
    story("- bot:", 4, "story s: bot", "is empty"),
    story("- or: []", 4, "story s: or", "must be a list"),
    story("- or:\n  - slot_was_set: 5", 5, "story s: or: slot_was_set", "must be a list"),
    story(
        "- intent: greet\n- action: utter_greet\n- checkpoint: c",
        2,
        "",
        "ends at checkpoint 'c'",
        "warning",
    ),
    story("- action: action_nope_form", 4, "actions.action_nope_form", "not in the domain"),
    Case("data/more.yml", "rules: x\n", 1, "rules", "must be a list"),
    Case("data/more.yml", "rules:\n- steps: []\n", 2, "rules[0]", "needs `rule: a name`"),
    Case(
        "data/more.yml",
        "rules:\n- rule: r\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
        "  - intent: greet\n  - action: utter_greet\n",
        2,
        "rules",
        "has 2 user messages",
    ),
    Case(
        "data/more.yml",
        "rules:\n- rule: r\n  conversation_start: maybe\n  steps:\n  - action: utter_greet\n",
        3,
        "rule r",
        "true or false",
    ),
    Case(
        "data/more.yml",
        "rules:\n- rule: r\n  condition:\n  - active_loop: nope\n  steps:\n"
        "  - action: utter_greet\n",
        4,
        "forms.nope",
        "not in the domain",
    ),
    Case(
        "data/more.yml",
        "rules:\n- rule: r\n  condition:\n  - slot_was_set:\n    - nope: 1\n  steps:\n"
        "  - action: utter_greet\n",
        5,
        "slots.nope",
        "not in the domain",
    ),
    Case(
        "data/more.yml",
        "rules:\n- rule: r\n  condition: x\n  steps:\n  - action: utter_greet\n",
        3,
        "rule r",
        "`condition` must be a list",
    ),
    Case(
        "data/more.yml",
        "rules:\n- rule: r\n  condition:\n  - intent: greet\n  steps:\n  - action: utter_greet\n",
        4,
        "rule r",
        "a condition is",
    ),
    Case(
        "data/more.yml",
        "rules:\n- rule: r\n  wait_for_user_input: maybe\n  steps:\n  - action: utter_greet\n",
        3,
        "rule r",
        "true or false",
    ),
    # config.yml
    config("- a\n", 1, "", "must be a mapping"),
    config("pipeline: x\n", 1, "pipeline", "must be a list"),
    config("pipeline:\n- threshold: 1\n", 2, "pipeline[0]", "needs a `name`"),
    config(
        "pipeline:\n- name: FallbackClassifier\n  threshold: 5\n",
        3,
        "pipeline[0].FallbackClassifier",
        "from 0 to 1",
    ),
    config("recipe: graph.v1\n", 1, "recipe", "is not run", "warning"),
    config("language: [en]\n", 1, "language", "is no text"),
    config("assistant_id: {a: b}\n", 1, "assistant_id", "is no text"),
    config("importers: [{name: addons.Git}]\n", 1, "importers", "not run", "warning"),
    config("pipeline:\n- name: Foo\n", 2, "pipeline.Foo", "'Foo' is not run", "warning"),
    config(
        "pipeline:\n- name: own.Foo\n",
        2,
        "pipeline.own.Foo",
        "custom component 'own.Foo'",
        "warning",
    ),
    config(
        "pipeline:\n- name: FallbackClassifier\n  ambiguity_threshold: x\n",
        3,
        "pipeline[0].FallbackClassifier",
        "from 0 to 1",
    ),
    config(
        "pipeline:\n- name: ResponseSelector\n  retrieval_intent: [a]\n",
        3,
        "pipeline[0].ResponseSelector",
        "is a name",
    ),
    config(
        "pipeline:\n- name: ResponseSelector\n  retrieval_intent: nope\n",
        0,
        "pipeline[0].ResponseSelector",
        "has no examples",
        "warning",
    ),
    config(
        "pipeline:\n- name: DucklingEntityExtractor\n  dimensions: [timee]\n",
        3,
        "pipeline[0].DucklingEntityExtractor",
        "'timee' is not found",
        "warning",
    ),
    config(
        "policies:\n- name: RulePolicy\n  core_fallback_threshold: 7\n",
        3,
        "policies[0].RulePolicy",
        "from 0 to 1",
    ),
    config(
        "policies:\n- name: RulePolicy\n  enable_fallback_prediction: maybe\n",
        3,
        "policies[0].RulePolicy",
        "true or false",
    ),
    config(
        "policies:\n- name: RulePolicy\n  check_for_contradictions: 5\n",
        3,
        "policies[0].RulePolicy",
        "true or false",
    ),
    config(
        "policies:\n- name: RulePolicy\n- name: own.Foo\n",
        3,
        "policies[1].own.Foo",
        "custom policy 'own.Foo'",
        "warning",
    ),
    config("policies: 5\n", 1, "policies", "must be a list"),
    config(
        "policies:\n- name: RulePolicy\n  restrict_rules: maybe\n",
        3,
        "policies[0].RulePolicy",
        "true or false",
    ),
    config(
        "policies:\n- name: RulePolicy\n- name: MemoizationPolicy\n  max_history: many\n",
        4,
        "policies[1].MemoizationPolicy",
        "whole number",
    ),
    config(
        "policies:\n- name: RulePolicy\n  core_fallback_action_name: action_nope\n",
        0,
        "policies.RulePolicy.core_fallback_action_name",
        "'action_nope'",
    ),
    config("policies:\n- name: MemoizationPolicy\n", 0, "policies", "no RulePolicy", "warning"),
    # endpoints.yml and credentials.yml
    Case("endpoints.yml", "- a\n", 1, "", "must be a mapping"),
    Case("endpoints.yml", "action_endpoint: x\n", 1, "action_endpoint", "with `url`"),
    Case("endpoints.yml", "action_endpoint: {token: x}\n", 1, "action_endpoint", "needs a `url`"),
    Case(
        "endpoints.yml",
        "action_endpoint:\n  url: http://x\n  headers: y\n",
        3,
        "action_endpoint",
        "`headers`",
    ),
    Case("credentials.yml", "- rest\n", 1, "", "must be a mapping"),
    Case("endpoints.yml", "nlg: {}\n", 1, "nlg", "needs a `url`"),
    Case("endpoints.yml", "nlg:\n  url: [x]\n", 2, "nlg", "must be text"),
    Case("endpoints.yml", "nlg: {type: own.Nlg}\n", 1, "nlg", "'own.Nlg' is not run", "warning"),
    Case(
        "endpoints.yml",
        "action_endpoint:\n  url: localhost:5055/webhook\n",
        2,
        "action_endpoint",
        "begins with http://",
        "warning",
    ),
    Case(
        "endpoints.yml",
        "action_endpoint:\n  url: http://x\n  enable_selective_domain: maybe\n",
        3,
        "action_endpoint",
        "true or false",
    ),
    Case(
        "endpoints.yml",
        "action_endpoint:\n  url: http://x\n  basic_auth: 5\n",
        3,
        "action_endpoint",
        "`basic_auth`",
    ),
    Case("endpoints.yml", "foo: 1\n", 1, "foo", "unknown", "warning"),
    Case("endpoints.yml", "tracker_store: {type: sql}\n", 1, "tracker_store", "'sql'", "warning"),
    Case("endpoints.yml", "lock_store: {type: own.L}\n", 1, "lock_store", "'own.L'", "warning"),
    Case("endpoints.yml", "event_broker: 5\n", 1, "event_broker", "is not run", "warning"),
    Case("endpoints.yml", "models: {url: x}\n", 1, "models", "is not run", "warning"),
    Case("credentials.yml", "rest: 5\n", 1, "rest", "must be a mapping"),
    Case("credentials.yml", "callback:\n", 1, "callback", "needs a `url`", "warning"),
    Case("credentials.yml", "socketio:\n  foo: 1\n", 2, "socketio", "'foo'", "warning"),
    Case("credentials.yml", "socketio:\n  namespace: [x]\n", 2, "socketio", "is no text"),
    Case(
        "credentials.yml",
        "socketio:\n  session_persistence: maybe\n",
        2,
        "socketio",
        "true or false",
    ),
    Case("credentials.yml", "own.Channel:\n", 1, "own.Channel", "custom connector", "warning"),
    Case("credentials.yml", "slack:\n", 1, "slack", "not served", "warning"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.file} {c.key} {c.words}"[:70])
def test_a_malformed_part_is_told_with_file_line_and_key(
    case: Case, make_project: MakeProject
) -> None:
    root = make_project({case.file: case.text}, base=True)
    notices = validate(read_project(root))
    found = [n for n in notices if case.words in n.message and n.place.path in (case.file, "")]
    assert found, "\n".join(map(str, notices))
    assert (found[0].level, found[0].place.line, found[0].key) == (case.level, case.line, case.key)


def test_loading_raises_the_first_error_and_counts_the_others(make_project: MakeProject) -> None:
    root = make_project({"domain.yml": "intents: x\nslots: y\n"}, base=True)
    message = r"domain\.yml:1: intents: must be a list, not 'x' \(and 1 more: `agent validate`"
    with pytest.raises(ProjectError, match=message) as caught:
        load_project(root)
    assert (caught.value.line, caught.value.key, caught.value.exit_code) == (1, "intents", 2)


def test_all_errors_of_all_files_are_collected(make_project: MakeProject) -> None:
    root = make_project(
        {
            "domain.yml": "intents: x\n",
            "data/nlu.yml": "nlu: x\n",
            "data/rules.yml": "rules: [\n",
            "config.yml": "policies: 5\n",
        }
    )
    errors = [n for n in read_project(root).notices if n.level == "error"]
    assert {n.place.path for n in errors} == {
        "domain.yml",
        "data/nlu.yml",
        "data/rules.yml",
        "config.yml",
    }


def test_findings_are_sorted_errors_first(make_project: MakeProject) -> None:
    root = make_project({"domain.yml": "colour: red\nintents: [greet]\nslots: y\n"}, base=True)
    levels = [notice.level for notice in validate(read_project(root))]
    assert levels == sorted(levels, key=["error", "warning", "info"].index)


def test_a_notice_without_a_place_is_still_a_notice() -> None:
    assert Notice("x").place.path == ""
