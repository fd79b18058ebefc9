from pathlib import Path

import pytest

from agent.errors import ProjectError
from agent.project import Endpoint, load_connections, load_project
from tests.agent.project.conftest import MakeProject, ReadProject

ENDPOINTS = """\
action_endpoint:
  url: "http://${ACTION_HOST}:5055/webhook"
  token: "${ACTION_TOKEN}"
  headers: {X-Tenant: 5}
  basic_auth: {username: u, password: p}
  enable_selective_domain: true
nlg:
  url: http://localhost:5056/nlg
"""


def test_endpoints_are_filled_from_the_environment(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTION_HOST", "actions")
    monkeypatch.setenv("ACTION_TOKEN", "secret")
    config = load_connections(make_project({"endpoints.yml": ENDPOINTS}))
    assert config.action_endpoint == Endpoint(
        url="http://actions:5055/webhook",
        token="secret",
        headers={"X-Tenant": "5"},
        basic_auth=("u", "p"),
        enable_selective_domain=True,
    )
    assert config.nlg_endpoint == Endpoint("http://localhost:5056/nlg")


def test_a_missing_variable_never_passes_for_a_secret(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTION_HOST", "actions")
    monkeypatch.delenv("ACTION_TOKEN", raising=False)
    root = make_project({"endpoints.yml": ENDPOINTS})
    with pytest.raises(
        ProjectError, match=r"endpoints\.yml:3: action_endpoint: .*ACTION_TOKEN .*set it"
    ):
        load_connections(root)


def test_reading_a_project_only_warns_of_a_missing_variable(read: ReadProject) -> None:
    project = read(
        {"credentials.yml": 'rest:\nsocketio:\n  jwt_key: "${NOT_SET_KEY}"\n'}, base=True
    )
    assert dict(project.config.credentials) == {"rest": {}}
    [notice] = project.notices
    assert (notice.level, notice.place.line) == ("warning", 3)
    assert notice.message.endswith("NOT_SET_KEY is not set: `agent serve` needs it")


def test_what_is_not_run_is_reported_by_name(read: ReadProject) -> None:
    project = read(
        {
            "endpoints.yml": """\
            tracker_store: {type: SQL, dialect: sqlite}
            lock_store: {type: redis}
            event_broker: {type: pika, url: x}
            models: {url: http://x}
            nlg: {type: rephrase}
            other: 1
            """,
            "credentials.yml": """\
            rest:
            slack: {slack_token: x}
            addons.Channel: {}
            rasa: {url: x}
            strange: {}
            """,
        },
        base=True,
    )
    found = [f"{n.level} {n.message}" for n in project.notices]
    assert [text for text in found if "not " not in text] == []
    assert sum(text.startswith("info") for text in found) == 2
    for word in ("'SQL'", "'redis'", "'pika'", "models", "'rephrase'", "'slack'", "addons.Channel"):
        assert any(word in text for text in found), word


def test_the_starters_files_are_read_without_warning(read: ReadProject) -> None:
    project = read(
        {
            "endpoints.yml": 'action_endpoint:\n  url: "http://localhost:5055/webhook"\n',
            "credentials.yml": "rest:\nrasa:\n  url: http://localhost:5002/api\n",
        },
        base=True,
    )
    assert [n.level for n in project.notices] == ["info"]
    assert project.config.action_endpoint == Endpoint("http://localhost:5055/webhook")


def test_a_project_without_these_files_has_no_connections(tmp_path: Path) -> None:
    config = load_connections(tmp_path)
    assert config.action_endpoint is None
    assert dict(config.credentials) == {}


def test_certificates_count_from_the_projects_folder(make_project: MakeProject) -> None:
    text = "action_endpoint: {url: 'grpcs://a:1', cafile: tls/ca.pem, client_cert: /etc/me.pem}"
    root = make_project({"endpoints.yml": text})
    endpoint = load_connections(root).action_endpoint
    assert endpoint is not None
    assert endpoint.cafile == str(root / "tls" / "ca.pem")
    assert (endpoint.client_cert, endpoint.client_key) == ("/etc/me.pem", None)


def test_what_is_wrong_with_a_channel_stops_serving_and_not_training(
    make_project: MakeProject,
) -> None:
    socket = "socketio:\n  session_persistence: true/false\n"
    root = make_project({"domain.yml": "intents: [greet]\n", "credentials.yml": socket})
    project = load_project(root)
    assert [n.level for n in project.notices if n.place.path == "credentials.yml"] == ["error"]
    with pytest.raises(ProjectError, match="session_persistence"):
        load_connections(root)


def test_the_projects_own_actions_may_be_named_as_rasa_pro_does(read: ReadProject) -> None:
    named = "action_endpoint:\n  actions_module: {}\n"
    project = read({"endpoints.yml": named.format("actions")}, base=True)
    assert (project.config.action_endpoint, project.notices) == (None, ())
    other = read({"endpoints.yml": named.format("elsewhere")}, base=True)
    assert {n.level for n in other.notices} == {"error", "warning"}
