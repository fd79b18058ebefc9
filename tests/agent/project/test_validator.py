"""What is found beyond malformed files; each malformed part stands in test_malformed."""

from agent.project import Notice, Project, validate
from tests.agent.project.conftest import ReadProject


def found(project: Project, level: str = "warning") -> list[str]:
    return [notice.message for notice in validate(project) if notice.level == level]


def test_a_sound_project_has_no_findings(read: ReadProject) -> None:
    assert validate(read({}, base=True)) == []


def test_unused_intents_and_responses_are_told(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            intents: [greet, bye, idle, out_of_scope, by_mapping]
            slots:
              s: {type: any, mappings: [{type: from_intent, intent: by_mapping, value: 1}]}
            responses:
              utter_greet: [{text: A}]
              utter_idle: [{text: A}]
              utter_in_code: [{text: A}]
              utter_ask_s: [{text: A}]
            """,
            "data/more.yml": "nlu:\n- intent: idle\n  examples: |\n    - a\n    - b\n"
            "- intent: by_mapping\n  examples: |\n    - c\n    - d\n",
            "actions/actions.py": "dispatcher.utter_message(response='utter_in_code')\n",
        },
        base=True,
    )
    assert found(project) == [
        "the intent 'idle' is used in no story, rule or form",
        "the response 'utter_idle' is used in no story, rule, form or action",
    ]


def test_a_slot_that_nobody_fills_is_told(read: ReadProject) -> None:
    text = "intents: [greet, bye]\nresponses: {utter_greet: [{text: A}]}\n"
    text += "slots: {s: {type: text, mappings: [{type: custom}]}}\n"
    assert "nothing fills the slot" in found(read({"domain.yml": text}, base=True))[0]
    assert found(read({"domain.yml": text + "actions: [action_s]\n"}, base=True)) == []


def test_a_value_that_a_categorical_slot_never_has_is_told(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            intents: [greet, bye]
            responses: {utter_greet: [{text: A}]}
            slots: {c: {type: categorical, values: [Red], mappings: [{type: from_text}]}}
            """,
            "data/s.yml": "stories:\n- story: s\n  steps:\n  - intent: greet\n"
            "  - action: utter_greet\n  - slot_was_set:\n    - c: red\n    - c: blue\n",
        },
        base=True,
    )
    assert found(project) == ["the slot 'c' never has the value 'blue' (its values: Red)"]


def test_a_button_that_means_an_unknown_intent_is_told(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            intents: [greet, bye]
            responses:
              utter_greet:
              - text: A
                buttons:
                - {title: A, payload: '/greet{"a": 1}'}
                - {title: B, payload: /nope}
                - {title: C, payload: plain text}
            """
        },
        base=True,
    )
    assert found(project) == ["names the intent 'nope', which is not in the domain"]


def test_roles_and_groups_that_the_domain_lacks_are_told(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            intents: [greet, bye]
            entities: [{city: {roles: [to]}}]
            responses: {utter_greet: [{text: A}]}
            slots:
              s: {type: any, mappings: [{type: from_entity, entity: city, role: via}]}
            """,
            "data/more.yml": """\
            nlu:
            - intent: greet
              examples: |
                - [Rome]{"entity": "city", "role": "to"}
                - [Oslo]{"entity": "city", "role": "from"}
                - [Bern]{"entity": "city", "group": "1"}
            """,
        },
        base=True,
    )
    assert found(project) == [
        "the role 'from' of 'city' is annotated but not in the domain: list it under its roles",
        "the group '1' of 'city' is annotated but not in the domain: list it under its groups",
        "names the role 'via', which 'city' does not have",
    ]


def test_a_story_that_contradicts_a_rule_is_an_error(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": "intents: [greet, bye]\n"
            "responses: {utter_greet: [{text: A}], utter_b: [{text: B}]}\n",
            "data/s.yml": """\
            stories:
            - story: s
              steps:
              - intent: greet
              - action: utter_b
            """,
        },
        base=True,
    )
    [message] = found(project, "error")
    assert "'s'" in message
    assert "'greet'" in message


def test_a_retrieval_action_needs_no_response_of_its_own(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            intents: [greet, bye, faq]
            responses:
              utter_greet: [{text: A}]
              utter_faq/a: [{text: A}]
              utter_faq/b: [{text: B}]
            """,
            "data/more.yml": """\
            nlu:
            - intent: faq/a
              examples: |
                - a
                - aa
            - intent: faq/b
              examples: |
                - b
            rules:
            - rule: faq
              steps:
              - intent: faq
              - action: utter_faq
            """,
        },
        base=True,
    )
    assert validate(project) == []


def test_a_finding_is_told_once(read: ReadProject) -> None:
    notices: list[Notice] = validate(read({"domain.yml": "intents: x\n"}, base=True))
    assert len(notices) == len({(n.message, n.place, n.key) for n in notices})


def test_a_fallback_that_is_never_reached_or_is_mute_is_told(read: ReadProject) -> None:
    project = read(
        {
            "config.yml": "pipeline: [{name: DIETClassifier}]\npolicies: [{name: RulePolicy}]\n",
            "data/more.yml": """\
            rules:
            - rule: two-stage
              steps:
              - intent: nlu_fallback
              - action: action_two_stage_fallback
              - active_loop: action_two_stage_fallback
            """,
        },
        base=True,
    )
    assert found(project) == [
        "nothing predicts nlu_fallback: config.yml has no FallbackClassifier",
        "the two-stage fallback has no words to ask again: write `utter_ask_rephrase`",
    ]
