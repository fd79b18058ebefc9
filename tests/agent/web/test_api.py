import asyncio
import json
from pathlib import Path

import jwt
import pytest

from agent.dialogue.events import ConversationPaused
from agent.turn import now
from agent.web.security.tokens import ALGORITHM, AUDIENCE
from tests.agent.web.serving import BUTTON, Served, answers_by, serving


async def test_a_message_is_answered_with_its_turn_and_its_likeliest_intents(
    served: Served,
) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    answer = await served.http.post(url, json={"text": "bye"}, headers=token)
    assert answer.status_code == 200
    body = answer.json()
    assert body["replies"] == [{"text": "goodbye!"}]
    assert body["choices"] == [{"intent": "goodbye", "title": "Goodbye"}]
    assert body["handoff"] is False
    assert await served.services.assistant.store.turn(body["turn_id"]) is not None


async def test_a_message_that_is_sent_again_is_answered_once(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    body = {"text": "hello", "message_id": "m-1"}
    first = await served.http.post(url, json=body, headers=token)
    again = await served.http.post(url, json=body, headers=token)
    assert again.json() == first.json()
    assert await served.services.assistant.store.turn_count() == 1


async def test_a_message_sent_twice_at_the_same_time_is_answered_once(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    body = {"text": "hello", "message_id": "m-1"}
    sends = [served.http.post(url, json=body, headers=token) for _ in range(5)]
    answers = await asyncio.gather(*sends)
    assert len({answer.text for answer in answers}) == 1
    assert await served.services.assistant.store.turn_count() == 1


async def test_a_message_sent_again_to_another_process_gets_the_first_answer(
    served: Served,
) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    body = {"text": "hello", "message_id": "m-1"}
    first = await served.http.post(url, json=body, headers=token)
    from agent.web.answers import Answers

    async def never() -> dict[str, object]:
        raise AssertionError("it was answered before")

    other = Answers(served.services.assistant.store)
    assert await other.once(conversation, "m-1", never) == first.json()


async def test_replies_come_as_events_with_ids(served: Served) -> None:
    conversation, token = await served.begin()
    events = await _events(served, conversation, token, {"text": "bye", "message_id": "m"})
    assert [(name, identifier) for name, identifier, _ in events] == [
        ("reply", "m:1"),
        ("done", "m:2"),
    ]
    assert events[0][2] == {"reply": 0, "text": "goodbye!"}


async def test_a_dropped_stream_goes_on_after_the_last_event_and_nothing_happens_twice(
    served: Served,
) -> None:
    conversation, token = await served.begin()
    body = {"text": "bye", "message_id": "m"}
    await _events(served, conversation, token, body)
    again = await _events(served, conversation, {**token, "Last-Event-ID": "m:1"}, body)
    assert [identifier for _, identifier, _ in again] == ["m:2"]
    assert await served.services.assistant.store.turn_count() == 1


async def test_the_history_tells_both_sides_with_turns(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    sent = await served.http.post(url, json={"text": "bye"}, headers=token)
    history = (await served.http.get(url, headers=token)).json()
    assert [(m["from"], m["text"]) for m in history["messages"]] == [
        ("user", "bye"),
        ("bot", "goodbye!"),
    ]
    assert {m["turn_id"] for m in history["messages"]} == {sent.json()["turn_id"]}


async def test_another_users_conversation_stays_closed(served: Served) -> None:
    first, _ = await served.begin()
    _, other = await served.begin()
    url = f"/api/conversations/{first}"
    for answer in (
        await served.http.post(f"{url}/messages", json={"text": "hi"}, headers=other),
        await served.http.get(f"{url}/messages", headers=other),
        await served.http.get(f"{url}/events", headers=other),
    ):
        assert answer.status_code == 403
    assert (await served.http.get(f"{url}/messages")).status_code == 401


@pytest.mark.parametrize("fault", ["forged", "expired", "other audience", "no algorithm", "noise"])
async def test_a_token_that_is_not_ours_is_refused(served: Served, fault: str) -> None:
    conversation, _ = await served.begin()
    at = int(now().timestamp())
    claims = {"sub": conversation, "aud": AUDIENCE, "exp": at + 60}
    key = served.services.tokens.key
    token = {
        "forged": jwt.encode(claims, b"x" * 32, ALGORITHM),
        "expired": jwt.encode({**claims, "exp": at - 60}, key, ALGORITHM),
        "other audience": jwt.encode({**claims, "aud": "staff"}, key, ALGORITHM),
        "no algorithm": jwt.encode(claims, "", "none"),
        "noise": "a.b.c",
    }[fault]
    answer = await served.http.post(
        f"/api/conversations/{conversation}/messages",
        json={"text": "hi"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 401
    assert answer.json()["status"] == "failure"


async def test_only_buttons_that_were_offered_may_be_pressed(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    early = await served.http.post(url, json={"text": BUTTON["payload"]}, headers=token)
    assert early.status_code == 400
    assert "not offered" in early.json()["message"]
    await served.http.post(url, json={"text": "hello"}, headers=token)
    pressed = await served.http.post(url, json={"text": BUTTON["payload"]}, headers=token)
    assert pressed.json()["replies"] == [{"text": "balance!"}]
    changed = '/balance{"account": "of somebody else"}'
    assert (await served.http.post(url, json={"text": changed}, headers=token)).status_code == 400
    hidden = f"EXTERNAL: {changed}"
    assert (await served.http.post(url, json={"text": hidden}, headers=token)).status_code == 400


async def test_a_conversation_that_a_person_took_over_says_so(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    await served.http.post(url, json={"text": "hello"}, headers=token)
    pause = ConversationPaused().to_dict()
    await served.http.post(f"/conversations/{conversation}/tracker/events", json=pause)
    answer = (await served.http.post(url, json={"text": "hello?"}, headers=token)).json()
    assert answer["replies"] == []
    assert answer["handoff"] is True


async def test_feedback_waits_for_a_reviewer_and_is_tied_to_its_turn(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    turn = (await served.http.post(url, json={"text": "any money?"}, headers=token)).json()
    body = {"turn_id": turn["turn_id"], "kind": "intent", "intent": "balance", "id": "f-1"}
    taken = await served.http.post("/api/feedback", json=body, headers=token)
    assert taken.status_code == 202
    assert taken.json() == {"id": "f-1", "state": "pending"}
    stored = await served.services.assistant.store.correction("f-1")
    assert stored is not None
    assert (stored.text, stored.predicted.intent) == ("any money?", "greet")
    again = await served.http.post(url, json={"text": "any money?"}, headers=token)
    assert again.json()["choices"][0]["intent"] == "greet"


async def test_feedback_may_name_an_intent_by_its_title(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    turn = (await served.http.post(url, json={"text": "any money?"}, headers=token)).json()
    body = {"turn_id": turn["turn_id"], "kind": "intent", "intent": "Balance", "id": "f-2"}
    assert (await served.http.post("/api/feedback", json=body, headers=token)).status_code == 202
    stored = await served.services.assistant.store.correction("f-2")
    assert stored is not None
    assert stored.intent == "balance"


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
async def test_a_message_that_says_nothing_is_refused(served: Served, text: str) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    answer = await served.http.post(url, json={"text": text}, headers=token)
    assert (answer.status_code, "empty" in answer.json()["message"]) == (400, True)
    assert await served.services.assistant.store.turn_count() == 0


async def test_feedback_about_another_users_turn_is_refused(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    turn = (await served.http.post(url, json={"text": "hello"}, headers=token)).json()
    _, other = await served.begin()
    body = {"turn_id": turn["turn_id"], "kind": "thumbs", "liked": True}
    assert (await served.http.post("/api/feedback", json=body, headers=other)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "intent"},
        {"kind": "entity"},
        {"kind": "answer"},
        {"kind": "thumbs"},
        {"kind": "intent", "intent": "nlu_fallback"},
        {"kind": "intent", "intent": "a b"},
        {"kind": "intent", "intent": "nosuch"},
        {"kind": "entity", "entities": [{"start": 3, "end": 900, "entity": "x"}]},
        {"kind": "nothing"},
    ],
)
async def test_feedback_that_says_nothing_sound_is_refused(
    served: Served, body: dict[str, object]
) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    turn = (await served.http.post(url, json={"text": "hello"}, headers=token)).json()
    answer = await served.http.post(
        "/api/feedback", json={"turn_id": turn["turn_id"], **body}, headers=token
    )
    assert answer.status_code == 400, answer.text


async def test_too_many_messages_of_one_user_are_put_off(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"messages_per_minute": 2}) as served:
        conversation, token = await served.begin()
        url = f"/api/conversations/{conversation}/messages"
        sends = [
            await served.http.post(url, json={"text": "hello"}, headers=token) for _ in range(5)
        ]
    codes = [answer.status_code for answer in sends]
    # A minute may end in between, never two.
    assert codes[:2] == [200, 200]
    assert 429 in codes
    assert int(next(a for a in sends if a.status_code == 429).headers["Retry-After"]) > 0


async def test_a_server_with_more_work_than_it_can_do_says_when_to_come_back(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, server={"max_waiting": 3}) as served:
        sends = [
            served.http.post("/webhooks/rest/webhook", json={"sender": f"s{i}", "message": "hi"})
            for i in range(12)
        ]
        answers = await asyncio.gather(*sends)
        after = await served.say("hello", "later")
    codes = {answer.status_code for answer in answers}
    assert codes == {200, 429}
    assert after[0]["text"] == "Hello!\n\nAnd now?"


async def test_one_conversation_cannot_take_all_places(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"max_waiting_per_conversation": 2}) as served:
        body = {"sender": "flood", "message": "hi"}
        sends = [served.http.post("/webhooks/rest/webhook", json=body) for _ in range(8)]
        codes = [answer.status_code for answer in await asyncio.gather(*sends)]
    assert codes.count(200) == 2
    assert codes.count(429) == 6


@pytest.mark.parametrize(
    "text", ["😀", "余额是多少", "كم رصيدي", "\x00\x1b[31m", "<script>alert(1)</script>"]
)
async def test_any_text_gets_an_answer(served: Served, text: str) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    answer = await served.http.post(url, json={"text": text}, headers=token)
    assert answer.status_code == 200


async def test_redis_that_is_away_costs_no_answer(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        conversation, token = await served.begin()
        url = f"/api/conversations/{conversation}/messages"
        await served.http.post(url, json={"text": "hello"}, headers=token)
        connection = served.services.assistant.store.connection
        connection._away_until, connection._away_reason = float("inf"), "away"
        body = {"text": "bye", "message_id": "m-2"}
        answer = await served.http.post(url, json=body, headers=token)
        assert answer.json()["replies"] == [{"text": "goodbye!"}]
        ready = await served.http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["store"] == "away"
        connection._away_until = 0.0
        assert await served.services.assistant.store.drain() == 1


async def test_a_written_answer_is_streamed_by_its_checked_sentences(served: Served) -> None:
    answers_by(served, "The fee is 8 [1]. It is 90.", "The fee is 8 [1]. Good [1]. Bye [1].")
    conversation, token = await served.begin()
    first = await _events(served, conversation, token, {"text": "what is the fee now?"})
    assert [(name, data.get("text")) for name, _, data in first] == [
        ("delta", "The fee is 8 [1]."),
        ("reply", "The fee is 8 [1]."),
        ("done", None),
    ]
    assert first[0][2]["reply"] == first[1][2]["reply"] == 0
    again = await _events(served, conversation, token, {"text": "what is the fee now?"})
    deltas = [data["text"] for name, _, data in again if name == "delta"]
    assert deltas == ["The fee is 8 [1].", " Good [1]."]
    assert again[2][2]["text"] == "The fee is 8 [1]. Good [1]. Bye [1]."


async def _events(
    served: Served, conversation: str, headers: dict[str, str], body: dict[str, str]
) -> list[tuple[str, str, dict[str, object]]]:
    url = f"/api/conversations/{conversation}/messages"
    wanted = {**headers, "Accept": "text/event-stream"}
    answer = await served.http.post(url, json=body, headers=wanted)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return found
