import logging
from pathlib import Path

import pytest

from agent.errors import InputError
from agent.settings import load_settings
from agent.web.security.access import check_protected
from agent.web.security.headers import is_local_name
from tests.agent.web.serving import PASSWORD, Served, serving


async def sign_in(served: Served, name: str, password: str = PASSWORD) -> str:
    """Sign in by the page's form; the session's CSRF token."""
    page = await served.http.get("/login")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"name": name, "password": password, "csrf_token": token}
    answer = await served.http.post("/login", data=form)
    assert answer.status_code == 303, answer.text
    cookie = served.http.cookies.get("agent_session")
    assert cookie is not None
    import hmac

    key = served.services.tokens.key
    return hmac.new(key, f"csrf:{cookie}".encode(), "sha256").hexdigest()


async def test_a_reviewer_signs_in_and_out(served: Served) -> None:
    await served.add_user("mia")
    assert (await served.http.get("/api/review")).status_code == 401
    csrf = await sign_in(served, "mia")
    assert (await served.http.get("/api/review")).status_code == 200
    out = await served.http.post("/logout", data={"csrf_token": csrf})
    assert out.status_code == 303
    assert (await served.http.get("/api/review")).status_code == 401


async def test_a_session_is_worth_nothing_after_signing_out_even_with_the_cookie(
    served: Served,
) -> None:
    await served.add_user("mia")
    csrf = await sign_in(served, "mia")
    cookie = served.http.cookies["agent_session"]
    await served.http.post("/logout", data={"csrf_token": csrf})
    served.http.cookies.set("agent_session", cookie, domain="localhost.local")
    assert (await served.http.get("/api/review")).status_code == 401


@pytest.mark.parametrize(("name", "password"), [("mia", "wrong"), ("nobody", PASSWORD), ("", "")])
async def test_a_wrong_name_or_password_gets_nobody_in(
    served: Served, name: str, password: str
) -> None:
    await served.add_user("mia")
    page = await served.http.get("/login")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"name": name, "password": password, "csrf_token": token}
    answer = await served.http.post("/login", data=form)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_passwords_cannot_be_tried_out(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"sign_ins_per_minute": 3}) as served:
        await served.add_user("mia")
        page = await served.http.get("/login")
        token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        codes = []
        for number in range(8):
            form = {"name": "mia", "password": f"guess {number}", "csrf_token": token}
            codes.append((await served.http.post("/login", data=form)).status_code)
    assert 429 in codes


async def test_a_session_ends_when_its_user_is_removed_or_changed(served: Served) -> None:
    await served.add_user("mia")
    await served.add_user("boss", "admin")
    await sign_in(served, "mia")
    await served.add_user("mia", "admin")
    assert (await served.http.get("/api/review")).status_code == 401
    await sign_in(served, "mia")
    await served.services.accounts.remove("mia")
    assert (await served.http.get("/api/review")).status_code == 401


async def test_a_change_needs_the_sessions_csrf_token(served: Served) -> None:
    await served.add_user("boss", "admin")
    csrf = await sign_in(served, "boss")
    url = "/api/models/rollback"
    assert (await served.http.post(url)).status_code == 403
    assert (await served.http.post(url, headers={"X-CSRF-Token": "0" * 64})).status_code == 403
    # There is no other model to go back to, but the request was let through.
    assert (await served.http.post(url, headers={"X-CSRF-Token": csrf})).status_code == 409


async def test_another_sites_page_cannot_act_for_its_reader(served: Served) -> None:
    elsewhere = {"Origin": "https://evil.example"}
    assert (await served.http.post("/api/models/rollback", headers=elsewhere)).status_code == 403
    assert (await served.http.delete("/model", headers=elsewhere)).status_code == 403
    own = {"Origin": "http://localhost"}
    assert (await served.http.delete("/model", headers=own)).status_code == 204


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_form_of_another_site_sends_no_message(served: Served, origin: str) -> None:
    answer = await served.http.post(
        "/webhooks/rest/webhook",
        content='{"sender": "x", "message": "hi"}',
        headers={"Content-Type": "text/plain", "Origin": origin},
    )
    assert answer.status_code == 403
    assert await served.services.assistant.store.turn_count() == 0


async def test_a_reviewer_does_not_touch_models(served: Served) -> None:
    await served.add_user("mia")
    csrf = {"X-CSRF-Token": await sign_in(served, "mia")}
    assert (await served.http.get("/api/models")).status_code == 200
    assert (await served.http.post("/api/models/rollback", headers=csrf)).status_code == 403
    assert (await served.http.get("/conversations/c/tracker")).status_code == 403


async def test_what_staff_do_is_written_down(served: Served) -> None:
    conversation, token = await served.begin()
    url = f"/api/conversations/{conversation}/messages"
    turn = (await served.http.post(url, json={"text": "any money?"}, headers=token)).json()
    body = {"turn_id": turn["turn_id"], "kind": "intent", "intent": "balance"}
    taken = (await served.http.post("/api/feedback", json=body, headers=token)).json()
    await served.add_user("mia")
    csrf = {"X-CSRF-Token": await sign_in(served, "mia")}
    done = await served.http.post(f"/api/review/{taken['id']}/accept", headers=csrf)
    assert done.json()["state"] == "accepted"
    log = [(e["who"], e["action"], e["subject"]) for e in await served.services.accounts.audit()]
    assert log[:2] == [("mia", "accepted", taken["id"]), ("mia", "signed in", "")]
    again = await served.http.post(url, json={"text": "any money?"}, headers=token)
    assert again.json()["replies"] == [{"text": "balance!"}]


async def test_a_name_that_points_here_is_not_served_on_loopback(served: Served) -> None:
    answer = await served.http.get("/domain", headers={"Host": "evil.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1:5005", True),
        ("[::1]:5005", True),
        ("demo.localhost:80", True),
        ("localhost.evil.example", False),
        ("evil.example:5005", False),
    ],
)
def test_names_of_this_machine_are_told_from_others(host: str, local: bool) -> None:
    assert is_local_name(host) is local


def test_a_server_that_others_reach_needs_protection() -> None:
    settings = load_settings(None, {}).server
    check_protected(settings, loopback=True, users=0)
    check_protected(settings, loopback=False, users=1)
    check_protected(settings.model_copy(update={"auth_token": "x"}), loopback=False, users=0)
    check_protected(settings.model_copy(update={"allow_open": True}), loopback=False, users=0)
    with pytest.raises(InputError, match="nothing protects it"):
        check_protected(settings, loopback=False, users=0)


def test_signatures_that_nothing_here_can_check_stop_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = {"jwt_secret": "-----BEGIN PUBLIC KEY-----", "jwt_method": "RS256"}
    settings = load_settings(None, {}).server.model_copy(update=chosen)
    monkeypatch.setattr("agent.web.security.access.find_spec", lambda _: True)
    check_protected(settings, loopback=False, users=0)
    monkeypatch.setattr("agent.web.security.access.find_spec", lambda _: None)
    with pytest.raises(InputError, match="RS256 needs the package cryptography"):
        check_protected(settings, loopback=False, users=0)


async def test_beyond_loopback_channels_ask_for_a_token_of_the_sender(tmp_path: Path) -> None:
    async with serving(tmp_path, loopback=False, credentials={"rest": {}}) as served:
        await served.add_user("boss", "admin")
        conversation, token = await served.begin()
        url = "/webhooks/rest/webhook"
        own = {"sender": conversation, "message": "bye"}
        assert (await served.http.post(url, json=own)).status_code == 401
        assert (await served.http.post(url, json=own, headers=token)).status_code == 200
        other = {"sender": "somebody", "message": "bye"}
        assert (await served.http.post(url, json=other, headers=token)).status_code == 401
        payload = {"sender": conversation, "message": "/balance"}
        assert (await served.http.post(url, json=payload, headers=token)).status_code == 400


async def test_beyond_loopback_unlisted_channels_are_not_there(tmp_path: Path) -> None:
    async with serving(tmp_path, loopback=False) as served:
        await served.add_user("boss", "admin")
        body = {"sender": "s", "message": "hi"}
        assert (await served.http.post("/webhooks/rest/webhook", json=body)).status_code == 404
        assert (await served.http.get("/conversations/c/tracker")).status_code == 401


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"max_body_bytes": 2_000}) as served:
        body = {"sender": "s", "message": "x" * 5_000}
        answer = await served.http.post("/webhooks/rest/webhook", json=body)
        assert answer.status_code == 413
        assert answer.json()["reason"] == "PayloadTooLarge"

        async def chunks() -> "object":
            for _ in range(100):
                yield b" " * 100

        endless = await served.http.post(
            "/webhooks/rest/webhook",
            content=chunks(),  # type: ignore[arg-type]
            headers={"Content-Type": "application/json"},
        )
        assert endless.status_code == 413
        assert endless.json()["code"] == 413


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1", b"\xff\xfe", b"null", b"5", b'{"message": {"a": 1}}', b"[" * 50_000]
)
async def test_a_malformed_body_is_a_clear_400(served: Served, body: bytes) -> None:
    answer = await served.http.post(
        "/webhooks/rest/webhook", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["status"] == "failure"


async def test_every_response_tells_the_browser_what_it_may(served: Served) -> None:
    for path in ("/", "/healthz", "/widget.js", "/none", "/conversations/c/tracker"):
        headers = (await served.http.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


async def test_only_named_origins_may_call_from_their_pages(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"cors_origins": ("https://shop.example",)}) as served:
        asked = {"Access-Control-Request-Method": "POST"}
        fine = await served.http.options(
            "/api/conversations", headers={"Origin": "https://shop.example", **asked}
        )
        assert fine.headers["access-control-allow-origin"] == "https://shop.example"
        other = await served.http.options(
            "/api/conversations", headers={"Origin": "https://evil.example", **asked}
        )
        assert "access-control-allow-origin" not in other.headers


async def test_no_secret_and_no_words_of_a_user_get_into_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(tmp_path, server={"auth_token": "s3cret-token"}) as served:
        await served.add_user("mia")
        await sign_in(served, "mia")
        conversation, token = await served.begin()
        url = f"/api/conversations/{conversation}/messages"
        await served.http.post(url, json={"text": "my name is Zoltan"}, headers=token)
        await served.http.get("/status?token=s3cret-token")
        own = [r.getMessage() for r in caplog.records if r.name.startswith("agent")]
    log = "\n".join(own)
    for word in ("s3cret-token", PASSWORD, "Zoltan", token["Authorization"]):
        assert word not in log
