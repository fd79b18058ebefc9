from agent.project import ActionStep, LoopStep, MappingCondition, Project, SlotMapping, UserStep
from tests.agent.project.conftest import ReadProject


def told(project: Project) -> list[str]:
    assert not [n for n in project.notices if n.level == "error"]
    return [n.message for n in project.notices if n.level == "info"]


def test_form_mappings_of_2_x_move_to_their_slots(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            version: "2.0"
            intents: [inform, stop]
            entities: [size]
            slots:
              size: {type: text}
              note: {type: text}
            forms:
              order_form:
                ignored_intents: [stop]
                required_slots:
                  size:
                  - type: from_entity
                    entity: size
                  note:
                  - type: from_text
              other_form:
                note:
                - type: from_text
            """
        }
    )
    domain = project.domain
    assert domain.forms["order_form"].required_slots == ("size", "note")
    assert domain.forms["order_form"].ignored_intents == ("stop",)
    assert domain.forms["other_form"].required_slots == ("note",)
    assert domain.slots["size"].mappings == (
        SlotMapping("from_entity", entity="size", conditions=(MappingCondition("order_form"),)),
        SlotMapping("from_entity", entity="size"),
    )
    assert domain.slots["note"].mappings == (
        SlotMapping(
            "from_text",
            conditions=(
                MappingCondition("order_form", "note"),
                MappingCondition("other_form", "note"),
            ),
        ),
    )
    assert told(project) == [
        "2.x layout: the slot mappings inside the forms order_form, other_form now belong to "
        "their slots",
        "2.x layout: the slots size are filled from the entities of the same name",
        'version "2.0": read in the 2.x layout',
    ]


def test_slots_without_mappings_are_filled_as_2_x_did(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            entities: [city, manual]
            slots:
              city: {type: text}
              manual: {type: text, auto_fill: false}
              free: {type: unfeaturized}
              modern: {type: text, mappings: [{type: from_text}]}
            """
        }
    )
    slots = project.domain.slots
    assert slots["city"].mappings == (SlotMapping("from_entity", entity="city"),)
    assert slots["manual"].mappings == (SlotMapping("custom"),)
    assert slots["free"].mappings == (SlotMapping("custom"),)
    assert (slots["free"].type, slots["free"].influence_conversation) == ("any", False)
    assert slots["modern"].mappings == (SlotMapping("from_text"),)
    assert len(told(project)) == 3


def test_nothing_is_filled_automatically_where_the_domain_says_so(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            entities: [city]
            slots: {city: {type: text}}
            config: {store_entities_as_slots: false}
            """
        }
    )
    assert project.domain.slots["city"].mappings == (SlotMapping("custom"),)


def test_a_3_x_domain_is_left_as_it_is(read: ReadProject) -> None:
    project = read(
        {
            "domain.yml": """\
            entities: [city]
            slots: {city: {type: text, mappings: [{type: custom}]}}
            forms: {f: {required_slots: [city]}, empty: {required_slots: []}}
            """
        }
    )
    assert project.domain.slots["city"].mappings == (SlotMapping("custom"),)
    assert told(project) == []


def test_triggers_of_1_x_become_rules(read: ReadProject) -> None:
    project = read({"domain.yml": "intents:\n- help: {triggers: utter_help}\n"})
    [rule] = project.rules
    assert rule.steps == (UserStep("help", line=2), ActionStep("utter_help", line=2))
    assert project.domain.raw["intents"] == ["help"]
    assert told(project)


def test_templates_of_1_x_are_responses(read: ReadProject) -> None:
    project = read({"domain.yml": "templates:\n  utter_a:\n  - A\n"})
    assert project.domain.responses["utter_a"][0].text == "A"
    assert told(project) == ["1.x layout: `templates:` is read as `responses:`"]


def test_form_steps_of_2_x_are_loops(read: ReadProject) -> None:
    project = read(
        {
            "data/stories.yml": """\
            version: "2.0"
            stories:
            - story: s
              steps:
              - intent: order
              - action: order_form
              - form: order_form
              - form: null
              - action: form
                name: other_form
            """
        }
    )
    loops = [step.loop for step in project.stories[0].steps if isinstance(step, LoopStep)]
    assert loops == ["order_form", None, "other_form"]
    assert "2.x layout: `form:` steps are read as `active_loop:`" in told(project)


def test_a_change_of_many_files_is_told_in_one_line(read: ReadProject) -> None:
    project = read({f"data/{i}.yml": 'version: "2.0"\nintents: []\n' for i in range(3)})
    assert told(project) == ['version "2.0": read in the 2.x layout (and in 2 more files)']


def test_a_list_of_forms_without_slots_is_read(read: ReadProject) -> None:
    project = read({"domain.yml": "forms:\n- a_form\n- b_form:\n    ignored_intents: [x]\n"})
    assert list(project.domain.forms) == ["a_form", "b_form"]


def test_answers_listed_as_intents_stand_for_their_retrieval_intent(read: ReadProject) -> None:
    domain = "intents: [faq/hours, faq/prices, greet]\nresponses: {utter_faq/hours: [{text: 9}]}\n"
    nlu = "nlu:\n- intent: faq/hours\n  examples: |\n    - when\n"
    project = read({"domain.yml": domain, "data/nlu.yml": nlu})
    assert sorted(project.domain.intents) == ["faq", "greet"]
    assert project.domain.intents["faq"].is_retrieval
    assert [n.message for n in project.notices if "faq/hours, faq/prices" in n.message]
