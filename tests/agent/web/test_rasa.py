from pathlib import Path

import jwt
import pytest
from ruamel.yaml import YAML

from tests.agent.web.serving import Served, serving

SECRET = "a secret of thirty-two characters"
TRACKER_KEYS = {
    "sender_id",
    "slots",
    "latest_message",
    "latest_event_time",
    "followup_action",
    "paused",
    "events",
    "latest_input_channel",
    "active_loop",
    "latest_action",
    "latest_action_name",
}


async def test_the_rest_channel_answers_as_rasas_does(served: Served) -> None:
    assert await served.say("hello", "s/1") == [
        {
            "recipient_id": "s/1",
            "text": "Hello!\n\nAnd now?",
            "buttons": [{"title": "My balance", "payload": '/balance{"account": "savings"}'}],
        },
    ]


async def test_the_tracker_has_rasas_keys_and_an_id_may_hold_slashes(served: Served) -> None:
    await served.say("bye", "a/b/tracker")
    tracker = (await served.http.get("/conversations/a/b/tracker/tracker")).json()
    assert set(tracker) == TRACKER_KEYS
    assert tracker["sender_id"] == "a/b/tracker"
    assert [e["event"] for e in tracker["events"]] == [
        "action",
        "session_started",
        "action",
        "user",
        "action",
        "bot",
        "action",
    ]


async def test_the_tracker_of_a_new_conversation_is_not_stored(served: Served) -> None:
    tracker = (await served.http.get("/conversations/new/tracker")).json()
    assert [e["event"] for e in tracker["events"]] == ["action", "session_started", "action"]
    assert await served.services.assistant.store.load_events("new") == []


@pytest.mark.parametrize(
    ("include", "kinds"),
    [
        ("NONE", None),
        ("ALL", ["user", "restart", "user"]),
        ("AFTER_RESTART", ["user"]),
        ("APPLIED", ["user"]),
    ],
)
async def test_include_events_chooses_the_events(
    served: Served, include: str, kinds: list[str] | None
) -> None:
    events = [{"event": "user", "text": "one"}, {"event": "restart"}, {"event": "user"}]
    await served.http.put("/conversations/c/tracker/events", json=events)
    url = f"/conversations/c/tracker?include_events={include}"
    found = (await served.http.get(url)).json()["events"]
    assert (found if found is None else [e["event"] for e in found]) == kinds


async def test_an_unknown_verbosity_is_refused_with_rasas_error_body(served: Served) -> None:
    answer = await served.http.get("/conversations/c/tracker?include_events=SOME")
    assert answer.status_code == 400
    assert set(answer.json()) == {
        "version",
        "status",
        "message",
        "reason",
        "details",
        "help",
        "code",
    }
    assert answer.json()["reason"] == "BadRequest"
    assert answer.json()["details"] == {"parameter": "include_events", "in": "query"}
    assert answer.json()["version"] == (await served.http.get("/version")).json()["version"]


async def test_the_verbosity_may_be_written_small(served: Served) -> None:
    found = await served.http.get("/conversations/c/tracker?include_events=none")
    assert found.json()["events"] is None


@pytest.mark.parametrize(
    ("method", "rest"), [("GET", "story"), ("POST", "predict"), ("POST", "execute")]
)
async def test_what_is_asked_of_a_conversation_that_nobody_began_is_not_found(
    served: Served, method: str, rest: str
) -> None:
    answer = await served.http.request(
        method, f"/conversations/nobody/{rest}", json={"name": "utter_greet"}
    )
    assert answer.status_code == 404
    assert answer.json()["message"] == "Conversation ID not found."
    assert await served.services.assistant.store.load_events("nobody") == []


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", None])
@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/webhooks/rest/webhook", '{"sender": "c", "message": "bye"}'),
        ("/conversations/c/tracker/events", '{"event": "pause"}'),
        ("/conversations/c/trigger_intent", '{"name": "greet"}'),
        ("/conversations/c/messages", '{"text": "bye", "sender": "user"}'),
        ("/model/predict", '[{"event": "user", "text": "hi"}]'),
    ],
)
async def test_a_body_is_json_whatever_it_is_called(
    served: Served, url: str, body: str, kind: str | None
) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = await served.http.post(url, content=body, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_a_page_of_another_site_cannot_speak_through_its_readers_browser(
    served: Served,
) -> None:
    headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    answer = await served.http.post(
        "/webhooks/rest/webhook", content='{"sender": "c", "message": "bye"}', headers=headers
    )
    assert answer.status_code == 403
    assert await served.services.assistant.store.turn_count() == 0


async def test_a_sender_may_be_a_number_and_a_messages_edges_do_not_count(served: Served) -> None:
    body = {"sender": 17, "message": "  bye\n"}
    answer = await served.http.post("/webhooks/rest/webhook", json=body)
    assert answer.json() == [{"recipient_id": "17", "text": "goodbye!"}]
    tracker = (await served.http.get("/conversations/17/tracker")).json()
    assert tracker["latest_message"]["text"] == "bye"


async def test_a_body_that_is_no_json_is_told_so(served: Served) -> None:
    answer = await served.http.post("/conversations/c/tracker/events", content=b"{no")
    assert (answer.status_code, answer.json()["message"]) == (400, "the body is no JSON")


@pytest.mark.parametrize(
    "url",
    [
        "/model/parse?emulation_mode=LUIS",
        "/model/test/intents?cross_validation_folds=3",
        "/model/test/intents?model=m2",
    ],
)
async def test_an_option_of_rasas_that_is_not_run_is_refused_by_name(
    served: Served, url: str
) -> None:
    answer = await served.http.post(url, json={"text": "bye"})
    assert answer.status_code == 400
    assert answer.json()["details"]["parameter"] in url


async def test_until_shows_the_tracker_as_it_was(served: Served) -> None:
    events = [
        {"event": "user", "text": "early", "timestamp": 10.0},
        {"event": "user", "text": "late", "timestamp": 20.0},
    ]
    await served.http.put("/conversations/c/tracker/events", json=events)
    found = (await served.http.get("/conversations/c/tracker?until=15")).json()
    assert found["latest_message"]["text"] == "early"


async def test_events_are_appended_one_or_many(served: Served) -> None:
    url = "/conversations/c/tracker/events"
    await served.http.post(url, json={"event": "slot", "name": "city", "value": "Rome"})
    found = await served.http.post(url, json=[{"event": "pause"}])
    assert found.json()["paused"] is True
    assert found.json()["slots"]["city"] == "Rome"
    stored = await served.services.assistant.store.load_events("c")
    assert [e["event"] for e in stored][-2:] == ["slot", "pause"]


@pytest.mark.parametrize(
    "events",
    [
        [],
        [1],
        {"event": "nothing"},
        {"no": "event"},
        {"event": "user", "timestamp": "noon"},
        {"event": "user", "text": 5},
        {"event": "user", "parse_data": []},
        {"event": "user", "parse_data": {"entities": "x"}},
        {"event": "user", "parse_data": {"entities": [{"value": 1}]}},
        {"event": "bot", "data": "x"},
    ],
)
async def test_what_is_no_event_is_refused(served: Served, events: object) -> None:
    answer = await served.http.post("/conversations/c/tracker/events", json=events)
    assert answer.status_code == 400, answer.text


async def test_an_action_is_run_and_what_it_says_told(served: Served) -> None:
    await served.say("hello", "c")
    answer = await served.http.post("/conversations/c/execute", json={"name": "utter_goodbye"})
    assert answer.json()["messages"] == [{"recipient_id": "c", "text": "goodbye!"}]
    assert answer.json()["tracker"]["latest_action_name"] == "utter_goodbye"
    unknown = await served.http.post("/conversations/c/execute", json={"name": "action_none"})
    assert unknown.status_code == 404
    assert (await served.http.post("/conversations/c/execute", json={})).status_code == 400


async def test_an_unknown_intent_cannot_be_triggered(served: Served) -> None:
    answer = await served.http.post("/conversations/c/trigger_intent", json={"name": "none"})
    assert answer.status_code == 404
    assert answer.json()["reason"] == "NotFound"


async def test_an_intent_is_triggered_as_if_the_user_had_meant_it(served: Served) -> None:
    answer = await served.http.post("/conversations/c/trigger_intent", json={"name": "greet"})
    tracker = answer.json()["tracker"]
    assert tracker["latest_message"]["text"] == "EXTERNAL: greet"
    assert answer.json()["messages"][0]["text"] == "Hello!\n\nAnd now?"


async def test_words_after_the_mark_of_injected_intents_stay_as_they_were_written(
    served: Served,
) -> None:
    body = {"sender": "c", "message": "EXTERNAL: / hello"}
    assert (await served.http.post("/webhooks/rest/webhook", json=body)).status_code == 200
    tracker = (await served.http.get("/conversations/c/tracker")).json()
    assert tracker["latest_message"]["text"] == "EXTERNAL: / hello"


async def test_the_next_action_is_predicted_and_not_run(served: Served) -> None:
    body = {"text": "bye", "sender": "user"}
    heard = await served.http.post("/conversations/c/messages", json=body)
    assert heard.json()["latest_message"]["intent"]["name"] == "goodbye"
    found = (await served.http.post("/conversations/c/predict")).json()
    assert found["scores"][0] == {"action": "utter_goodbye", "score": 1.0}
    assert set(found) == {"scores", "policy", "confidence", "tracker"}
    again = (await served.http.post("/conversations/c/predict")).json()
    assert again["tracker"]["events"] == found["tracker"]["events"]


async def test_only_users_messages_are_taken(served: Served) -> None:
    body = {"text": "bye", "sender": "bot"}
    answer = await served.http.post("/conversations/c/messages", json=body)
    assert answer.status_code == 400
    assert "Currently, only user messages can be passed" in answer.json()["message"]


async def test_a_given_parse_result_is_believed(served: Served) -> None:
    body = {"text": "x", "sender": "user", "parse_data": {"intent": {"name": "balance"}}}
    heard = await served.http.post("/conversations/c/messages", json=body)
    assert heard.json()["latest_message"]["intent"]["name"] == "balance"


async def test_a_conversation_reads_as_a_story(served: Served) -> None:
    await served.say("bye", "c")
    answer = await served.http.get("/conversations/c/story")
    story = YAML(typ="safe").load(answer.text)["stories"][0]
    assert story["story"] == "c"
    assert story["steps"] == [
        {"intent": "goodbye", "user": "bye"},
        {"action": "utter_goodbye"},
    ]


async def test_a_message_is_parsed_without_a_conversation(served: Served) -> None:
    body = {"text": "bye", "message_id": "7"}
    found = (await served.http.post("/model/parse", json=body)).json()
    assert found["intent"] == {"name": "goodbye", "confidence": 0.9}
    assert found["message_id"] == "7"
    assert {"text", "entities", "intent_ranking"} <= set(found)


@pytest.mark.parametrize("kind", ["", "application/x-www-form-urlencoded", "text/plain"])
async def test_parsing_takes_json_whatever_its_content_type(served: Served, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    found = await served.http.post("/model/parse", content=b'{"text": "bye"}', headers=headers)
    assert found.json()["intent"]["name"] == "goodbye"
    wrong = await served.http.post("/model/parse", content=b'{"txt": 1}', headers=headers)
    assert (wrong.status_code, wrong.json()["message"]) == (400, "body.text: Field required")


async def test_the_domain_comes_as_asked_for(served: Served) -> None:
    as_json = await served.http.get("/domain", headers={"Accept": "application/json"})
    assert as_json.json()["intents"] == ["greet", "goodbye", "balance"]
    as_yaml = await served.http.get("/domain", headers={"Accept": "application/x-yaml"})
    assert YAML(typ="safe").load(as_yaml.text) == as_json.json()
    other = await served.http.get("/domain", headers={"Accept": "image/png"})
    assert other.status_code == 406


async def test_an_unloaded_model_answers_nothing_until_one_is_put(served: Served) -> None:
    assert (await served.http.delete("/model")).status_code == 204
    parsed = await served.http.post("/model/parse", json={"text": "hi"})
    assert parsed.status_code == 409
    missing = await served.http.put("/model", json={"model_file": "models/none.tar.gz"})
    assert missing.status_code == 400


async def test_the_greeting_is_text_for_programs_and_a_page_for_people(served: Served) -> None:
    text = await served.http.get("/")
    assert text.text == "Hello from Rasa: 3.6.21"
    page = await served.http.get("/", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert (await served.http.get("/version")).json()["minimum_compatible_version"] == "3.5.0"


async def test_the_status_has_rasas_keys(served: Served) -> None:
    status = (await served.http.get("/status")).json()
    assert {"model_file", "model_id", "num_active_training_jobs"} <= set(status)
    assert status["num_active_training_jobs"] == 0


async def test_the_token_opens_the_surface(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"auth_token": "t0ken"}) as served:
        url = "/conversations/c/tracker"
        refused = await served.http.get(url)
        assert refused.status_code == 401
        assert refused.json()["reason"] == "NotAuthenticated"
        assert (await served.http.get(f"{url}?token=wrong")).status_code == 401
        assert (await served.http.get(f"{url}?token=t0ken")).status_code == 200
        bearer = {"Authorization": "Bearer t0ken"}
        assert (await served.http.get(url, headers=bearer)).status_code == 200
        assert (await served.http.get("/metrics")).status_code == 401
        assert (await served.http.get("/metrics", headers=bearer)).status_code == 200


async def test_a_jwt_opens_what_its_role_may(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"jwt_secret": SECRET}) as served:

        async def status(url: str, user: object, secret: str = SECRET) -> int:
            token = jwt.encode({"user": user}, secret, "HS256")
            headers = {"Authorization": f"Bearer {token}"}
            return (await served.http.get(url, headers=headers)).status_code

        own, other = "/conversations/mia/tracker", "/conversations/leo/tracker"
        mia = {"username": "mia", "role": "user"}
        assert await status(own, mia) == 200
        assert await status(other, mia) == 403
        assert await status("/domain", mia) == 403
        assert await status(other, {"username": "boss", "role": "admin"}) == 200
        assert await status(own, mia, "another secret of 32 characters!") == 401
        assert await status(own, {"role": "admin"}) == 401
        assert await status(own, "admin") == 401
