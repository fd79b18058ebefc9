"""A small hand-made project: five intents, an entity, rules, a form, knowledge, tests."""

from pathlib import Path

FILES = {
    "domain.yml": """
version: "3.1"
intents: [greet, goodbye, order_status, refund, inform]
entities: [order_number]
slots:
  order_number:
    type: text
    mappings:
      - type: from_entity
        entity: order_number
forms:
  status_form:
    required_slots: [order_number]
responses:
  utter_greet:
    - text: "Hello! What can I do for you?"
      buttons:
        - {title: "Where is my order?", payload: "/order_status"}
        - {title: "I want a refund", payload: "/refund"}
  utter_goodbye:
    - text: "Goodbye!"
  utter_refund:
    - text: "Refunds take five days."
  utter_ask_order_number:
    - text: "What is the order number?"
  utter_status:
    - text: "Order {order_number} is on its way."
""",
    "config.yml": """
recipe: default.v1
language: en
pipeline:
  - name: WhitespaceTokenizer
  - name: RegexEntityExtractor
  - name: DIETClassifier
policies:
  - name: RulePolicy
  - name: MemoizationPolicy
""",
    "data/nlu.yml": """
version: "3.1"
nlu:
  - intent: greet
    examples: |
      - hello
      - hi there
      - good morning
      - hey
      - good evening to you
      - hello again
  - intent: goodbye
    examples: |
      - goodbye
      - bye bye
      - see you later
      - have a nice day, bye
      - I have to go now
      - farewell
  - intent: order_status
    examples: |
      - where is my order
      - has my parcel been sent yet
      - track the order [A1234](order_number)
      - when will my package arrive
      - status of order [B7781](order_number) please
      - my delivery is late
  - intent: refund
    examples: |
      - I want my money back
      - how do I get a refund
      - please refund me
      - return this item and pay me back
      - I would like to be reimbursed
      - give me back what I paid
  - intent: inform
    examples: |
      - "[C9911](order_number)"
      - it is [D1002](order_number)
      - number [E5005](order_number)
      - the number is [F8123](order_number)
      - "[A7777](order_number) I think"
      - order [B2468](order_number)
  - regex: order_number
    examples: |
      - [A-Z]\\d{4}
""",
    "data/rules.yml": """
version: "3.1"
rules:
  - rule: greet
    steps: [{intent: greet}, {action: utter_greet}]
  - rule: goodbye
    steps: [{intent: goodbye}, {action: utter_goodbye}]
  - rule: refund
    steps: [{intent: refund}, {action: utter_refund}]
  - rule: open the status form
    steps:
      - intent: order_status
      - action: status_form
      - active_loop: status_form
  - rule: the form is done
    condition:
      - active_loop: status_form
    steps:
      - action: status_form
      - active_loop: null
      - slot_was_set:
          - requested_slot: null
      - action: utter_status
""",
    "knowledge/shipping.md": """---
title: Shipping abroad
url: https://example.com/shipping
---
# Shipping abroad

## What it costs

We send parcels to every country in Europe for nine euros. Outside Europe shipping costs
twenty-four euros and takes two weeks.
""",
    "knowledge/opening.md": """---
title: Opening hours of the shop
---
# Opening hours of the shop

The shop in the harbour street is open from Tuesday to Saturday, nine to six.
""",
    "tests/test_nlu.yml": """
version: "3.1"
nlu:
  - intent: greet
    examples: |
      - hello you
      - hi
  - intent: goodbye
    examples: |
      - bye
      - goodbye then
  - intent: order_status
    examples: |
      - where is my parcel
      - track order [Z1000](order_number)
  - intent: refund
    examples: |
      - I need a refund
      - can I have my money back
""",
    "tests/test_stories.yml": """
version: "3.1"
stories:
  - story: hello and goodbye
    steps:
      - user: |
          hello
        intent: greet
      - action: utter_greet
      - user: |
          goodbye
        intent: goodbye
      - action: utter_goodbye
""",
}


def write_shop(root: Path) -> Path:
    """Write the project into a new folder and give the folder back."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), encoding="utf-8")
    return root
