import pytest

from agent.project import Project
from agent.project.values_config import DIMENSIONS, ValuesConfig, read_values
from tests.agent.project.conftest import ReadProject

PIPELINE = """\
language: de
pipeline:
- name: DucklingEntityExtractor
  dimensions: [time, amount-of-money, iban]
  locale: en-gb
  timezone: Europe/London
  normalize: {price: amount-of-money}
"""


def warnings(project: Project) -> list[str]:
    return [notice.message for notice in project.notices if notice.level == "warning"]


def test_an_extractor_says_what_is_looked_for(read: ReadProject) -> None:
    project = read({"config.yml": PIPELINE}, base=True)
    assert warnings(project) == []
    assert read_values(project.config.pipeline, project.config.language) == ValuesConfig(
        ("time", "amount-of-money", "iban"),
        "EN_GB",
        "Europe/London",
        {"price": "amount-of-money"},
    )


def test_without_dimensions_all_are_found_in_the_projects_language(read: ReadProject) -> None:
    config = read(
        {"config.yml": "language: de\npipeline: [{name: DucklingHTTPExtractor}]\n"}, base=True
    ).config
    assert read_values(config.pipeline, config.language) == ValuesConfig(
        DIMENSIONS, "DE", "America/Los_Angeles"
    )


def test_without_an_extractor_nothing_is_looked_for() -> None:
    assert read_values([{"name": "DIETClassifier"}], "en") is None


def test_what_cannot_be_served_is_named_with_its_line(read: ReadProject) -> None:
    text = (
        PIPELINE.replace("iban", "colour")
        .replace("Europe/London", "Mars/Base")
        .replace("en-gb", "tlh")
        .replace(": amount-of-money}", ": mood}")
    )
    project = read({"config.yml": text}, base=True)
    found = {(n.place.line, n.message.split(";")[0]) for n in project.notices}
    assert found == {
        (4, "'colour' is not found"),
        (5, "Duckling does not read 'TLH': values are read as English"),
        (6, "'Mars/Base' is no time zone like Europe/Berlin: America/Los_Angeles is used"),
        (7, "'price' cannot be read as 'mood'"),
    }
    assert read_values(project.config.pipeline, "en") == ValuesConfig(
        ("time", "amount-of-money"), "TLH", "America/Los_Angeles", {}
    )


@pytest.mark.parametrize("dimensions", ["time", 5, {"time": None}])
def test_dimensions_that_are_no_list_are_reported(read: ReadProject, dimensions: object) -> None:
    text = f"pipeline: [{{name: DucklingEntityExtractor, dimensions: {dimensions!r}}}]\n"
    project = read({"config.yml": text}, base=True)
    assert any(message.startswith("must be a list") for message in warnings(project))


def test_a_machine_without_duckling_is_told(
    read: ReadProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.project.values_config.find_spec", lambda name: None)
    project = read({"config.yml": PIPELINE}, base=True)
    assert any("pyduckling-native-phihos" in message for message in warnings(project))


def test_a_configuration_survives_the_model_folder() -> None:
    config = ValuesConfig(("time",), "ZH_CN", "Asia/Shanghai", {"day": "time"})
    assert ValuesConfig.from_json(config.to_json()) == config


SPACY = "language: fr\npipeline:\n- name: SpacyEntityExtractor\n"


def test_spacys_labels_of_values_are_looked_for_in_the_projects_language(read: ReadProject) -> None:
    config = read({"config.yml": SPACY + "  dimensions: [DATE, MONEY]\n"}, base=True).config
    found = read_values(config.pipeline, config.language)
    assert found == ValuesConfig((), "FR", spacy=("MONEY", "DATE"))
    assert ValuesConfig.from_json(found.to_json()) == found


def test_spacys_other_labels_are_named_in_one_line(read: ReadProject) -> None:
    project = read({"config.yml": SPACY + "  dimensions: [DATE, PERSON, GPE]\n"}, base=True)
    (notice,) = (n for n in project.notices if n.level == "warning")
    assert (notice.place.line, notice.key) == (4, "pipeline[0].SpacyEntityExtractor")
    assert notice.message.startswith("spaCy's PERSON, GPE are not extracted")


@pytest.mark.parametrize("dimensions", ["", "  dimensions: []\n", "  dimensions: null\n"])
def test_without_dimensions_all_of_spacys_values_are_found(
    read: ReadProject, dimensions: str
) -> None:
    project = read({"config.yml": SPACY + dimensions}, base=True)
    found = read_values(project.config.pipeline, "fr")
    assert found is not None
    assert "CARDINAL" in found.spacy
    (message,) = warnings(project)
    assert "no PERSON, ORG, GPE" in message


def test_values_asked_for_nowhere_are_not_looked_for(read: ReadProject) -> None:
    config = read({"config.yml": SPACY + "  dimensions: [PERSON]\n"}, base=True).config
    assert read_values(config.pipeline, config.language) is None
