import re
from dataclasses import replace
from typing import Any

import pytest

from agent.feedback.queue import ReviewQueue
from agent.feedback.queue_item import Judgement, QueueItem
from agent.feedback.submission import Author, Said
from agent.feedback.worth import assess
from agent.turn import IntentScore, Message, Turn, Understanding, now
from agent.turn_record import turn_record
from agent.web.pages.desk import Desk, Form
from agent.web.pages.figures import Day, bars, resolution, trends
from agent.web.pages.item import judgement, near
from agent.web.pages.signin import own_path
from knowledge.errors import InputError
from tests.agent.web.serving import PASSWORD, Served

ATTACK = "<script>alert(1)</script>"
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PAGES = ("", "/next", "/conversations", "/dashboard", "/gaps", "/models", "/audit")


async def sign_in(served: Served, name: str = "ada") -> str:
    """Sign in; the CSRF token of the session."""
    form = {"name": name, "password": PASSWORD, "csrf_token": await token(served, "/login")}
    answer = await served.http.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/review")
    return await token(served, "/review")


async def token(served: Served, path: str) -> str:
    page = (await served.http.get(path)).text
    return page.split('name="csrf_token" value="')[1].split('"')[0]


async def complain(served: Served, text: str) -> str:
    """A message whose answer somebody did not like; its item's id."""
    conversation, headers = await served.begin()
    path = f"/api/conversations/{conversation}/messages"
    turn = (await served.http.post(path, json={"text": text}, headers=headers)).json()
    said = Said(liked=False, reason=ATTACK)
    await served.services.assistant.feedback.submit(turn["turn_id"], said, Author(conversation))
    await served.services.assistant.queue.refresh()
    items = await served.services.assistant.queue.items()
    return next(item.id for item in items if text in item.texts)


async def doubt(served: Served, count: int) -> None:
    """So many messages that the network was unsure of, each an item of the queue."""
    ranking = (IntentScore("greet", 0.5), IntentScore("goodbye", 0.5))
    for number in range(count):
        text = " ".join(NUMBERS[int(digit)] for digit in f"{number:03}")
        message = Message(f"m{number}", f"c{number}", text)
        turn = Turn(f"t{number}", message, Understanding(text, ranking), (), (), "m1", 1.0)
        await served.services.assistant.store.commit_turn(turn_record(turn), f"c{number}", [])
    await served.services.assistant.queue.refresh()


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_is_shown_to_staff_only(served: Served, page: str) -> None:
    await served.add_user("ada")
    answer = await served.http.get(f"/review{page}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=/review")
    await sign_in(served)
    answer = await served.http.get(f"/review{page}")
    assert answer.status_code == 200


async def test_the_http_interface_is_described_on_a_page_without_foreign_scripts(
    served: Served,
) -> None:
    page = (await served.http.get("/docs")).text
    for path in (await served.http.get("/openapi.json")).json()["paths"]:
        assert f"<code>{path}</code>" in page
    assert "curl -X POST" in page
    assert "<script" not in page


async def test_a_wrong_password_is_told_on_the_page_and_the_name_is_kept(served: Served) -> None:
    await served.add_user("ada")
    form = {"name": "ada", "password": "guess", "csrf_token": await token(served, "/login")}
    answer = await served.http.post("/login", data=form)
    assert answer.status_code == 401
    assert "name or password is wrong" in answer.text
    assert 'value="ada"' in answer.text


async def test_signing_out_ends_the_session(served: Served) -> None:
    await served.add_user("ada")
    csrf = await sign_in(served)
    await served.http.post("/logout", data={"csrf_token": csrf})
    assert (await served.http.get("/review")).status_code == 303


async def test_a_form_without_the_sessions_token_is_refused(served: Served) -> None:
    await served.add_user("ada")
    await sign_in(served)
    item = await complain(served, "hm")
    answer = await served.http.post(f"/review/items/{item}", data={"kind": "right"})
    assert answer.status_code == 403
    assert (await served.services.assistant.queue.item(item)).state == "open"


async def test_a_verdict_counts_and_leads_to_the_next_item(served: Served) -> None:
    item = await complain(served, "hm")
    form = {"kind": "correct", "intent": "balance", "csrf_token": await token(served, "/login")}
    answer = await served.http.post(f"/review/items/{item}", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/review/next?done={item}&kind=correct"
    accepted = await served.services.assistant.store.corrections("accepted")
    assert "balance" in [one.intent for one in accepted]


async def test_a_second_word_that_differs_is_told_to_hold_not_yet(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = served.services.assistant.queue

    async def wanted(*_: object) -> bool:
        return True

    monkeypatch.setattr(ReviewQueue, "_second_wanted", wanted)
    item = await complain(served, "hm")
    await queue.decide(item, "ada", Judgement("correct", intent="balance"))
    form = {"kind": "correct", "intent": "greet", "csrf_token": await token(served, "/login")}
    answer = await served.http.post(f"/review/items/{item}", data=form)
    assert answer.headers["location"] == f"/review/next?done={item}&kind=dispute"
    page = (await served.http.get(f"/review/items/{item}?done={item}&kind=dispute")).text
    assert "Reviewers disagree" in page


async def test_a_doubt_too_slight_to_matter_is_no_reason_to_show(served: Served) -> None:
    sure = (IntentScore("greet", 0.99), IntentScore("goodbye", 0.01))
    item = QueueItem("i1", "hello", alternatives=sure, state="disputed")
    assert [one.kind for one in assess(item).reasons] == ["dispute", "unsure"]
    assert [one.kind for one in Desk(served.services).reasons(item)] == ["dispute"]


async def test_an_item_that_came_by_a_complaint_shows_what_else_was_likely(served: Served) -> None:
    item = await complain(served, "hm")
    page = (await served.http.get(f"/review/items/{item}")).text
    assert 'data-intent="greet"' in page


async def test_a_verdict_may_hold_for_the_near_duplicates_as_well(served: Served) -> None:
    item = await complain(served, "no idea")
    assert await complain(served, "No idea!") == item
    page = (await served.http.get(f"/review/items/{item}")).text
    assert '<input type="checkbox" name="texts" value="No idea!" checked>' in page
    form = {
        "kind": "correct",
        "intent": "balance",
        "texts": ["No idea!"],
        "csrf_token": await token(served, "/login"),
    }
    await served.http.post(f"/review/items/{item}", data=form)
    accepted = await served.services.assistant.store.corrections("accepted")
    corrected = {one.text for one in accepted if one.intent == "balance"}
    assert corrected == {"no idea", "No idea!"}


async def test_a_verdict_that_cannot_be_keeps_what_was_typed(served: Served) -> None:
    item = await complain(served, "hm")
    form = {
        "kind": "correct",
        "intent": "no such thing",
        "answer": "Try <b>this</b>",
        "csrf_token": await token(served, "/login"),
    }
    answer = await served.http.post(f"/review/items/{item}", data=form)
    assert 'role="alert"' in answer.text
    assert "Try &lt;b&gt;this&lt;/b&gt;" in answer.text


async def test_markup_of_users_is_escaped(served: Served) -> None:
    item = await complain(served, ATTACK)
    for path in ("/review", f"/review/items/{item}", "/review/conversations"):
        page = (await served.http.get(path)).text
        assert ATTACK not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


async def test_a_message_cannot_turn_the_page_around_it(served: Served) -> None:
    await served.add_user("ada")
    await sign_in(served)
    text = "pay \u202e007"
    page = (await served.http.get(f"/review/items/{await complain(served, text)}")).text
    assert "<title>pay \ufffd007" in page
    assert f"<bdi>{text}</bdi>" in (await served.http.get("/review")).text


async def test_what_is_unknown_is_a_page_that_says_so(served: Served) -> None:
    answer = await served.http.get("/review/items/nobody")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert (await served.http.get("/review/models/nothing")).status_code >= 400
    assert (await served.http.get("/review/conversations/nobody")).status_code == 400
    assert (await served.http.get("/review?page=x")).status_code == 400
    assert (await served.http.get(f"/review?page={10**40}&state=x&reason=y")).status_code == 200
    assert (await served.http.get("/static/../router.py")).status_code == 404


async def test_an_address_of_no_page_leads_back_to_the_queue(served: Served) -> None:
    for path in ("/review/nothing", "/review/a/b/c"):
        answer = await served.http.get(path)
        assert answer.status_code == 404
        assert "There is no such page." in answer.text
        assert 'href="/review"' in answer.text


async def test_each_item_stands_on_one_page_of_the_queue(served: Served) -> None:
    await doubt(served, 120)
    pages = [(await served.http.get(f"/review?page={n}")).text for n in (1, 2, 3, 4)]
    found = [re.findall(r'class="line-text" href="/review/items/(\w+)"', page) for page in pages]
    assert [len(ids) for ids in found] == [50, 50, 20, 0]
    assert len(set().union(*found)) == 120
    assert ["&page=2" in page for page in pages] == [True, False, True, False]
    assert "The list has no page 4." in pages[3]


async def test_a_search_has_pages_of_its_own(served: Served) -> None:
    await doubt(served, 150)
    pages = [(await served.http.get(f"/review?q=one&page={n}")).text for n in (1, 2)]
    assert "q=one&page=2" in pages[0]
    found = [page.count('class="line-text"') for page in pages]
    assert found == [50, sum("1" in f"{n:03}" for n in range(150)) - 50]


async def test_conversations_are_found_by_their_words(served: Served) -> None:
    await complain(served, "the blue whale")
    await complain(served, "something else")
    page = (await served.http.get("/review/conversations?q=Blue+whale")).text
    assert "the blue whale" in page
    assert "something else" not in page


async def test_entities_of_any_logged_turn_are_put_right_in_its_conversation(
    served: Served,
) -> None:
    conversation, headers = await served.begin()
    path = f"/api/conversations/{conversation}/messages"
    said = {"text": "fifty for <b>Ana"}
    turn = (await served.http.post(path, json=said, headers=headers)).json()["turn_id"]
    page = (await served.http.get(f"/review/conversations/{conversation}")).text
    assert 'data-marking data-text="fifty for &lt;b&gt;Ana" data-entities="[]"' in page
    form = {
        "kind": "correct",
        "entities": '[{"start": 13, "end": 16, "label": "payee"}]',
        "csrf_token": await token(served, "/login"),
    }
    await served.http.post(f"/review/conversations/turns/{turn}", data=form)
    (correction,) = await served.services.assistant.store.corrections("accepted")
    assert [(one.label, one.value) for one in correction.entities or ()] == [("payee", "Ana")]


async def test_only_an_admin_rolls_back(served: Served) -> None:
    await served.add_user("ada")
    csrf = await sign_in(served)
    answer = await served.http.post("/review/models/rollback", data={"csrf_token": csrf})
    assert answer.status_code == 403


async def test_the_demo_page_names_the_assistant_and_loads_the_widget(served: Served) -> None:
    page = await served.http.get("/", headers={"Accept": "text/html", "Accept-Language": "zh-CN"})
    assert '<html lang="zh">' in page.text
    assert "<agent-chat inline" in page.text


async def test_a_file_that_a_browser_has_is_not_sent_again(served: Served) -> None:
    first = await served.http.get("/widget.js")
    assert first.headers["access-control-allow-origin"] == "*"
    again = await served.http.get("/widget.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("target", ["https://evil.example", "//evil", "/\\evil", "\t//x", "", "x"])
def test_signing_in_leads_to_our_own_pages_only(target: str) -> None:
    assert own_path(target) == "/review"


def test_a_form_is_read_as_a_judgement() -> None:
    fields = {
        "kind": ["correct"],
        "intent": [" transfer "],
        "entities": ['[{"start": 0, "end": 2, "label": "who", "value": "me"}]'],
    }
    said = judgement(Form(fields))
    assert (said.intent, said.answer, said.new_intent) == ("transfer", None, False)
    assert said.entities is not None
    assert said.entities[0].label == "who"


@pytest.mark.parametrize("entities", ["[", '{"a": 1}', "7", '[{"start": "0"}]'])
def test_entities_that_are_none_are_refused(entities: str) -> None:
    with pytest.raises(InputError):
        judgement(Form({"kind": ["correct"], "entities": [entities]}))


def test_the_turns_around_one_are_shown() -> None:
    turns = [{"id": str(number)} for number in range(9)]
    assert [turn["id"] for turn in near(turns, "4", 1)] == ["3", "4", "5"]
    assert [turn["id"] for turn in near(turns, "0", 1)] == ["0", "1"]


def test_trends_compare_this_week_with_the_one_before() -> None:
    day = Day(now().date(), 2, 0, 0, {"greet": 2})
    quiet = replace(day, intents={"greet": 1, "bye": 1})
    first, second = trends([quiet] * 7 + [day] * 7)
    assert (first.intent, first.this_week, first.last_week) == ("greet", 14, 7)
    assert (second.intent, second.this_week, second.last_week) == ("bye", 0, 7)


async def test_a_conversation_that_fell_back_or_was_handed_over_is_not_resolved() -> None:
    async def turns() -> Any:
        for conversation, action in (
            ("a", "utter_greet"),
            ("b", "action_default_fallback"),
            ("c", "utter_human_handoff"),
            ("d", "utter_greet"),
        ):
            yield {"message": {"conversation_id": conversation}, "decisions": [{"action": action}]}

        answered = {"decisions": [{"action": "action_default_fallback"}]}
        replies = [{"text": "Eight.", "sources": [{"title": "Fees"}]}]
        yield {"message": {"conversation_id": "e"}, **answered, "replies": replies}

    found = await resolution(turns(), ["d"])
    assert (found.conversations, found.resolved, found.handed_over, found.fell_back) == (5, 2, 1, 1)
    assert found.share == 0.4


def test_bars_of_nothing_have_no_height() -> None:
    assert bars([0, 0]) == [(0, 100.0, 0.0), (1, 100.0, 0.0)]
