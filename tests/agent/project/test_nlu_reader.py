from agent.project import Place, Project
from tests.agent.project.conftest import ReadProject


def nlu(read: ReadProject, text: str) -> Project:
    return read({"data/nlu.yml": 'version: "3.1"\n' + text})


def messages(project: Project) -> list[str]:
    return [f"{n.level} {n.place.line}: {n.message}" for n in project.notices]


def test_a_block_of_examples_is_read_line_by_line(read: ReadProject) -> None:
    project = nlu(
        read,
        """\
nlu:
- intent: greet
  examples: |
    - hi

    # a remark
    -   hello there
    - yes
""",
    )
    examples = project.nlu.examples
    assert [e.text for e in examples] == ["hi", "hello there", "yes"]
    assert [e.place for e in examples] == [Place("data/nlu.yml", line) for line in (5, 8, 9)]
    assert project.notices == ()


def test_a_line_without_a_dash_is_told(read: ReadProject) -> None:
    project = nlu(read, "nlu:\n- intent: greet\n  examples: |\n    - hi\n    hello\n")
    assert len(project.nlu.examples) == 1
    assert messages(project) == [
        "warning 6: a line that does not start with `-` is not read: 'hello'"
    ]


def test_examples_with_metadata_carry_further_heads(read: ReadProject) -> None:
    project = nlu(
        read,
        """\
nlu:
- intent: greet
  metadata:
    labels: {tone: calm}
    note: x
  examples:
  - text: |
      hi
    metadata: {labels: {sentiment: positive}}
  - text: "hello"
""",
    )
    first, second = project.nlu.examples
    assert first.text == "hi"
    assert dict(first.labels) == {"tone": "calm", "sentiment": "positive"}
    assert dict(second.labels) == {"tone": "calm"}
    assert project.nlu.intent_metadata["greet"]["note"] == "x"


def test_a_retrieval_example_names_its_answer(read: ReadProject) -> None:
    project = nlu(read, "nlu:\n- intent: faq/hours\n  examples: |\n    - when?\n")
    [example] = project.nlu.examples
    assert (example.intent, example.response) == ("faq", "faq/hours")


def test_a_multi_intent_is_one_intent(read: ReadProject) -> None:
    project = nlu(read, "nlu:\n- intent: greet+ask\n  examples: |\n    - hi, how much?\n")
    assert project.nlu.examples[0].intent == "greet+ask"


def test_synonyms_come_from_their_section_and_from_markup(read: ReadProject) -> None:
    project = nlu(
        read,
        """\
nlu:
- intent: go
  examples: |
    - to [NYC](city:New York)
    - to [Big Apple]{"entity": "city", "value": "New York"}
- synonym: Los Angeles
  examples: |
    - LA
    - l.a.
""",
    )
    assert dict(project.nlu.synonyms) == {
        "nyc": "New York",
        "big apple": "New York",
        "la": "Los Angeles",
        "l.a.": "Los Angeles",
    }


def test_two_values_of_one_spelling_are_told(read: ReadProject) -> None:
    project = nlu(
        read, "nlu:\n- synonym: a\n  examples: |\n    - x\n- synonym: b\n  examples: |\n    - X\n"
    )
    assert project.nlu.synonyms["x"] == "b"
    assert "later one counts" in messages(project)[0]


def test_regexes_and_lookups_are_gathered_over_items(read: ReadProject) -> None:
    project = nlu(
        read,
        """\
nlu:
- regex: zip
  examples: |
    - \\d{5}
- lookup: city
  examples: |
    - Rome
- lookup: city
  examples: [Oslo]
""",
    )
    assert dict(project.nlu.regexes) == {"zip": (r"\d{5}",)}
    assert dict(project.nlu.lookups) == {"city": ("Rome", "Oslo")}


def test_a_lookup_may_name_a_file_of_words(read: ReadProject) -> None:
    project = read(
        {
            "data/nlu.yml": "nlu:\n- lookup: city\n  examples: data/cities.txt\n",
            "data/cities.txt": "Rome\n\nOslo\n",
        }
    )
    assert project.nlu.lookups["city"] == ("Rome", "Oslo")
    assert project.notices == ()


def test_an_empty_example_is_left_out_and_told(read: ReadProject) -> None:
    project = nlu(read, "nlu:\n- intent: greet\n  examples: |\n    - hi\n    -\n")
    assert len(project.nlu.examples) == 1
    assert messages(project) == ["warning 6: an example is empty: it is left out"]
