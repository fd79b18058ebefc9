import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ModelError
from agent.project import (
    Domain,
    Endpoint,
    EntityType,
    FallbackConfig,
    Form,
    Intent,
    MappingCondition,
    Place,
    PolicyConfig,
    Project,
    ProjectConfig,
    ResponseVariation,
    SessionConfig,
    Slot,
    SlotMapping,
    dump_project,
    read_project,
    read_project_archive,
)
from tests.agent.project.conftest import MakeProject
from tests.agent.project.test_domain import DOMAIN

names = st.text("abcé东 _", min_size=1, max_size=5)
tuples = st.lists(names, max_size=3).map(tuple)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | names,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(names, values, max_size=2)
optional = st.none() | names
intents = st.builds(Intent, names, st.none() | tuples, tuples, st.booleans(), optional, optional)
entities = st.builds(EntityType, names, tuples, tuples, st.booleans())
conditions = st.lists(st.builds(MappingCondition, optional, optional), max_size=2).map(tuple)
mappings = st.builds(
    SlotMapping,
    st.sampled_from(["from_entity", "from_intent", "from_trigger_intent", "from_text", "custom"]),
    optional,
    optional,
    optional,
    tuples,
    tuples,
    values,
    optional,
    conditions,
)
slots = st.builds(
    Slot,
    names,
    st.sampled_from(["text", "bool", "categorical", "float", "list", "any"]),
    st.booleans(),
    values,
    st.lists(values, max_size=2).map(tuple),
    st.floats(-9, 9),
    st.floats(-9, 9),
    st.lists(mappings, max_size=2).map(tuple),
)
variations = st.builds(
    ResponseVariation,
    text=optional,
    image=optional,
    custom=values,
    buttons=st.lists(objects, max_size=2).map(tuple),
    elements=st.lists(values, max_size=2).map(tuple),
    channel=optional,
    metadata=objects,
    conditions=st.lists(st.tuples(names, values), max_size=2).map(tuple),
    id=optional,
)


def named(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(names, strategy, max_size=2)


domains = st.builds(
    Domain,
    intents=named(intents),
    entities=named(entities),
    slots=named(slots),
    forms=named(st.builds(Form, names, tuples, tuples)),
    responses=named(st.lists(variations, max_size=2).map(tuple)),
    actions=tuples,
    e2e_actions=tuples,
    send_domain=tuples,
    session=st.builds(SessionConfig, st.floats(0, 99), st.booleans()),
    store_entities_as_slots=st.booleans(),
    raw=objects,
    places=named(st.builds(Place, names, st.integers(0, 9))),
)
configs = st.builds(
    ProjectConfig,
    language=names,
    assistant_id=optional,
    fallback=st.builds(FallbackConfig, st.none() | st.floats(0, 1), st.none() | st.floats(0, 1)),
    policies=st.builds(PolicyConfig, tuples, memoization_max_history=st.none() | st.integers(1, 9)),
    pipeline=st.lists(objects, max_size=2).map(tuple),
)


@given(domain=domains, config=configs)
def test_a_project_survives_its_archive(domain: Domain, config: ProjectConfig) -> None:
    project = Project(root=Path("p"), domain=domain, config=config)
    back = read_project_archive(dump_project(project), Path("p"))
    assert back == project
    assert back.domain.places == domain.places


def test_a_read_project_survives_its_archive(make_project: MakeProject) -> None:
    project = read_project(make_project({"domain.yml": DOMAIN}))
    back = read_project_archive(dump_project(project), project.root)
    assert back.domain == project.domain
    assert back.nlu.examples == ()


def test_secrets_are_not_archived() -> None:
    config = ProjectConfig(
        action_endpoint=Endpoint("http://x", token="secret"),
        nlg_endpoint=Endpoint("http://secret"),
        credentials={"socketio": {"jwt_key": "secret"}},
    )
    assert "secret" not in dump_project(Project(Path(), Domain(), config=config))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "domain": 5}']
)
def test_a_broken_archive_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="train the model again"):
        read_project_archive(text)


def test_an_archive_of_another_version_is_refused() -> None:
    text = json.dumps({**json.loads(dump_project(Project(Path(), Domain()))), "format": 2})
    with pytest.raises(ModelError, match="has format 2, this version reads 1"):
        read_project_archive(text)
