from agent.project import read_project
from tests.agent.project.conftest import MakeProject, ReadProject

MULTI = "importers: [{name: MultiProjectImporter}]\n"
PART = {
    "parts/pay/domain.yml": "intents: [pay]\nresponses: {utter_pay: [{text: paid}]}\n",
    "parts/pay/data/nlu.yml": "nlu:\n- intent: pay\n  examples: |\n    - pay it\n",
    "parts/pay/data/rules.yml": """\
    rules:
    - rule: pay
      steps:
      - intent: pay
      - action: utter_pay
    """,
    "parts/pay/tests/test_pay.yml": """\
    stories:
    - story: a test
      steps:
      - intent: pay
      - action: utter_pay
    """,
    "parts/pay/endpoints.yml": "action_endpoint: {url: http://localhost}\n",
}


def test_an_imported_project_adds_its_domain_and_training_data(read: ReadProject) -> None:
    project = read({"config.yml": MULTI + "imports: [parts/pay]\n", **PART}, base=True)
    assert {"greet", "pay"} <= set(project.domain.intents)
    assert "utter_pay" in project.domain.responses
    assert [rule.name for rule in project.rules] == ["pay", "greet", "bye"]
    assert project.stories == ()
    assert [(n.place.path, n.level) for n in project.notices if n.level != "info"] == []
    assert "parts/pay/data/nlu.yml" in {e.place.path for e in project.nlu.examples}


def test_imported_projects_may_import_others_and_each_other(make_project: MakeProject) -> None:
    inner = MULTI + "imports: [../parts/pay, ../all]\n"
    files = {"config.yml": MULTI + "imports: [../all/config.yml]\n", "../all/config.yml": inner}
    project = read_project(make_project({**files, **{f"../{k}": v for k, v in PART.items()}}))
    assert "pay" in project.domain.intents
    assert {e.place.path for e in project.nlu.examples} == {"../parts/pay/data/nlu.yml"}


def test_imports_count_only_with_their_importer_as_in_rasa(read: ReadProject) -> None:
    for importers in ("", "importers: [{name: RasaFileImporter}]\n"):
        project = read({"config.yml": importers + "imports: [parts/pay]\n", **PART}, base=True)
        assert "pay" not in project.domain.intents
        (notice,) = project.notices
        assert (notice.key, notice.place.path) == ("imports", "config.yml")


def test_an_import_that_is_not_there_is_an_error_with_its_line(read: ReadProject) -> None:
    project = read({"config.yml": MULTI + "imports:\n- parts/pay\n- nowhere\n", **PART}, base=True)
    (error,) = (n for n in project.notices if n.level == "error")
    assert (error.place.line, error.key, error.message) == (4, "imports", "there is no 'nowhere'")


def test_imports_that_are_no_list_are_an_error(read: ReadProject) -> None:
    for value in ("parts/pay", "[{a: b}]", "7"):
        project = read({"config.yml": MULTI + f"imports: {value}\n"}, base=True)
        assert [n.key for n in project.notices if n.level == "error"] == ["imports"]
