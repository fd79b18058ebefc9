from agent.project import ActionStep, FallbackConfig, LoopStep, Project, ProjectConfig
from tests.agent.project.conftest import ReadProject


def config(read: ReadProject, text: str) -> tuple[ProjectConfig, Project]:
    project = read({"config.yml": text}, base=True)
    return project.config, project


def warnings(project: Project) -> list[str]:
    return [n.message for n in project.notices if n.level == "warning"]


def test_thresholds_and_policies_are_read(read: ReadProject) -> None:
    found, project = config(
        read,
        """\
        recipe: default.v1
        assistant_id: bank
        language: de
        pipeline:
        - name: WhitespaceTokenizer
        - name: rasa.nlu.classifiers.diet_classifier.DIETClassifier
          epochs: 5
        - name: FallbackClassifier
          threshold: 0.6
        policies:
        - name: RulePolicy
          core_fallback_threshold: 0.4
          core_fallback_action_name: utter_greet
          enable_fallback_prediction: false
          restrict_rules: false
          check_for_contradictions: false
        - name: AugmentedMemoizationPolicy
          max_history: 3
        - name: TEDPolicy
          max_history: 7
        """,
    )
    assert project.notices == ()
    assert (found.language, found.assistant_id) == ("de", "bank")
    assert found.fallback == FallbackConfig(0.6, 0.1)
    assert found.pipeline[1] == {"name": "DIETClassifier", "epochs": 5}
    policies = found.policies
    assert policies.names == ("RulePolicy", "AugmentedMemoizationPolicy", "TEDPolicy")
    assert policies.core_fallback_threshold == 0.4
    assert policies.core_fallback_action == "utter_greet"
    assert policies.enable_fallback_prediction is False
    assert policies.restrict_rules is False
    assert policies.check_for_contradictions is False
    assert policies.memoization_max_history == 3
    assert policies.augmented is True
    assert policies.learned_max_history == 7


def test_without_policies_rasas_defaults_run(read: ReadProject) -> None:
    for text in ("language: en\n", "policies:\n"):
        found, _ = config(read, text)
        assert found.policies.names == (
            "MemoizationPolicy",
            "RulePolicy",
            "UnexpecTEDIntentPolicy",
            "TEDPolicy",
        )
        assert found.policies.memoization_max_history is None
        assert found.policies.learned_max_history == 5


def test_without_a_fallback_classifier_there_are_no_thresholds(read: ReadProject) -> None:
    found, _ = config(read, "pipeline:\n- name: DIETClassifier\n")
    assert found.fallback == FallbackConfig()
    assert read({}, base=True).config.fallback == FallbackConfig()


def test_what_is_not_run_is_reported_by_name(read: ReadProject) -> None:
    _, project = config(
        read,
        """\
        recipe: graph.v1
        importers: [{name: addons.GitImporter}]
        colour: red
        pipeline:
        - name: addons.Sentiment
        - name: SpacyEntityExtractor
        - name: UnknownThing
        policies:
        - name: RulePolicy
          priority: 9
        - name: addons.MyPolicy
        """,
    )
    found = " | ".join(warnings(project))
    for words in (
        "the recipe 'graph.v1' is not run",
        "the importer 'addons.GitImporter' is not run",
        "the key is unknown and not read",
        "the custom component 'addons.Sentiment' is not run",
        "of spaCy's entities only values are extracted (PERCENT, MONEY",
        "the component 'UnknownThing' is not run",
        "`priority` is not read",
        "the custom policy 'addons.MyPolicy' is not run",
    ):
        assert words in found


def test_a_projects_own_policy_is_taken_for_the_one_it_is_called_after(read: ReadProject) -> None:
    _, project = config(
        read,
        """\
        policies:
        - name: addons.policies.AskAgainRulePolicy
          core_fallback_threshold: 0.6
        - name: addons.OurAugmentedMemoizationPolicy
        """,
    )
    assert project.config.policies.names == ("RulePolicy", "AugmentedMemoizationPolicy")
    assert project.config.policies.augmented
    assert project.config.policies.core_fallback_threshold == 0.6
    told = "\n".join(notice.message for notice in project.notices)
    assert "'addons.policies.AskAgainRulePolicy' is not run: RulePolicy stands for it" in told


def test_the_two_stage_policy_of_1_x_becomes_a_rule(read: ReadProject) -> None:
    found, project = config(
        read,
        """\
        pipeline: supervised_embeddings
        policies:
        - name: TwoStageFallbackPolicy
          nlu_threshold: 0.5
        - name: KerasPolicy
          max_history: 4
        - name: FormPolicy
        """,
    )
    assert found.fallback == FallbackConfig(0.5, 0.1)
    assert found.policies.names == ("RulePolicy", "TEDPolicy")
    assert found.policies.learned_max_history == 4
    rule = project.rules[-1]
    assert rule.steps[1:] == (
        ActionStep("action_two_stage_fallback", 3),
        LoopStep("action_two_stage_fallback", 3),
    )
    assert sum(n.level == "info" for n in project.notices) == 4


def test_the_fallback_policy_of_1_x_becomes_a_rule_and_a_threshold(read: ReadProject) -> None:
    found, project = config(
        read,
        """\
        policies:
        - name: FallbackPolicy
          nlu_threshold: 0.2
          core_threshold: 0.1
          fallback_action_name: utter_greet
        """,
    )
    assert found.fallback == FallbackConfig(0.2, 0.1)
    assert found.policies.core_fallback_threshold == 0.1
    assert found.policies.core_fallback_action == "utter_greet"
    assert project.rules[-1].steps[1] == ActionStep("utter_greet", 2)


def test_options_that_our_network_does_not_read_are_told_in_one_line(read: ReadProject) -> None:
    _, project = config(
        read,
        """\
        pipeline:
        - name: CountVectorsFeaturizer
        - name: CountVectorsFeaturizer
          analyzer: char_wb
          max_ngram: 4
        - name: RegexFeaturizer
          case_sensitive: false
        - name: DIETClassifier
          epochs: 100
        """,
    )
    (told,) = (n for n in project.notices if n.level == "info")
    assert (told.place.line, told.key) == (1, "pipeline")
    assert told.message.endswith(
        "not read: CountVectorsFeaturizer: analyzer, max_ngram; RegexFeaturizer: case_sensitive"
    )


def test_a_pipeline_that_learns_no_entities_is_told(read: ReadProject) -> None:
    text = "pipeline:\n- name: DIETClassifier\n  entity_recognition: false\n"
    _, project = config(read, text)
    assert any("none are learned" in n.message for n in project.notices)
