from pathlib import Path

import pytest

from agent.errors import InputError
from agent.prompts.templates import load_templates, read_template

GREETING = """---
description: Greets.
variables:
  name: Who is greeted.
  items: A list.
---
Hello {{ name }}!
{% for item in items %}
- {{ item }}
{% endfor %}
"""


def write(folder: Path, name: str, text: str) -> Path:
    (folder / "prompts").mkdir(exist_ok=True)
    path = folder / "prompts" / f"{name}.md.jinja"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_template_is_rendered_with_its_version(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, "greeting", GREETING))
    prompt = template.render(name="Ada", items=["a", "b"])
    assert prompt.text == "Hello Ada!\n- a\n- b"
    assert (prompt.name, prompt.version) == ("greeting", template.version)
    assert (template.description, template.variables["name"]) == ("Greets.", "Who is greeted.")


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    first = read_template(write(tmp_path, "greeting", GREETING)).version
    assert read_template(write(tmp_path, "greeting", GREETING)).version == first
    assert read_template(write(tmp_path, "greeting", GREETING + " ")).version != first


def test_what_a_user_said_is_never_a_template(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, "greeting", GREETING))
    hostile = "{{ 7 * 7 }} {% raw %} {name} <b>"
    assert template.render(name=hostile, items=[]).text == f"Hello {hostile}!"


def test_every_default_template_loads_and_the_main_ones_are_there() -> None:
    names = load_templates().names
    assert {"answer", "unknown", "affirmation", "rephrase", "action_failed"} <= set(names)


def test_a_projects_template_takes_the_place_of_the_default(tmp_path: Path) -> None:
    write(tmp_path, "answer", "---\nvariables: {text: '', title: ''}\n---\n{{ title }}: {{ text }}")
    templates = load_templates(tmp_path)
    assert templates.render("answer", question="q", text="b", title="a").text == "a: b"
    assert "unknown" in templates.names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\nvariables: {}\n---\n\nHi {{ nmae }}", r"answer.md.jinja:5: nmae: .*not declared"),
        ("Hi {{ name }}", r":1: name: .*not declared"),
        ("---\nvariables: {}\n---\n{% if %}", r":4: not a valid template"),
        ("---\nvariables: {}\n---\n{{ text|nofilter }}", r":4: not a valid template.*nofilter"),
        ("---\nvariables: [\n---\nHi", r":\d: not valid YAML"),
        ("---\nvariables: [a, b]\n---\nHi", r"variables: must map"),
        ("---\nvarbles: {a: b}\n---\nHi", r"varbles: unknown key"),
        ("---\n- a\n---\nHi", r"front matter must be a mapping"),
        ("{% include 'x' %}", r"cannot include"),
        ("---\nvariables: {text: '', mood: ''}\n---\n{{ mood }}", r"mood: .*is not given"),
    ],
)
def test_a_mistake_stops_the_start_and_names_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path, "answer", text)
    with pytest.raises(InputError, match=message):
        load_templates(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    write(tmp_path, "answer", "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"answer.md.jinja: cannot be read"):
        load_templates(tmp_path)


def test_missing_and_unknown_variables_are_named(tmp_path: Path) -> None:
    template = read_template(write(tmp_path, "greeting", GREETING))
    with pytest.raises(InputError, match="'greeting' needs items; its variables: name, items"):
        template.render(name="Ada")
    with pytest.raises(InputError, match="has no age"):
        template.render(name="Ada", items=[], age=3)
    with pytest.raises(InputError, match="no prompt named 'nope'; there are: "):
        load_templates().render("nope")


def test_the_sandbox_keeps_a_template_from_the_inside_of_values(tmp_path: Path) -> None:
    source = "---\nvariables: {x: ''}\n---\n{{ x.__class__.__mro__ }}"
    template = read_template(write(tmp_path, "evil", source))
    with pytest.raises(InputError, match="cannot be rendered"):
        template.render(x="a")


@pytest.mark.parametrize("wrong", ["1 / 0", "x[9].y", "x.nothing()", "(x * 2)[0:1:0]"])
def test_a_template_that_fails_is_named(tmp_path: Path, wrong: str) -> None:
    source = f"---\nvariables: {{x: ''}}\n---\n{{{{ {wrong} }}}}"
    template = read_template(write(tmp_path, "wrong", source))
    with pytest.raises(InputError, match="the prompt 'wrong' cannot be rendered"):
        template.render(x="a")


def test_a_template_can_query_the_project_s_facts(tmp_path: Path) -> None:
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "hotels.csv").write_text("name,city\nRitz,Paris\nIbis,Rome\n")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "rephrase.md.jinja").write_text(
        "---\nvariables: {}\n---\n"
        "We know {{ facts.hotels | selectattr('city', 'eq', 'Rome') | map(attribute='name') "
        "| join(', ') }}."
    )
    assert load_templates(tmp_path).render("rephrase").text == "We know Ibis."
