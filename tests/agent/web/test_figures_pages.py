"""What the dashboard, the gaps, the models and the audit log tell staff."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from agent.actions.knowledge import KnowledgeBase
from agent.errors import ModelError
from agent.feedback.gaps import Question
from agent.feedback.queue_item import Judgement
from agent.monitor.delivery import Delivery
from agent.registry import TRIAL, ModelVersion, Registry, TrialPointer
from agent.storage.monitor_log import MonitorLog
from agent.turn import Understanding, now
from agent.web.pages import gaps
from agent.web.pages.figures import Day
from knowledge.passage import ScoredPassage
from tests.agent.actions.test_knowledge import first_sentence, passage
from tests.agent.web.serving import Served
from tests.agent.web.test_pages import complain, sign_in, token


async def alarm(served: Served, name: str, days: int = 1) -> None:
    """An alarm of today."""
    store, day = served.services.assistant.store, now().date().isoformat()
    data = {"day": day, "name": name, "kind": "more", "value": 0.3, "expected": 0.05}
    data |= {"p": 1e-9, "days": days, "id": name, "at": day}
    await MonitorLog(store.connection, store.keys, "drift").add_alarm(name, data)


async def test_an_alarm_names_its_series_for_people_and_leads_to_its_messages(
    served: Served,
) -> None:
    for name, days in (("intent:balance", 2), ("entity:city", 1), ("corrections_pending", 1)):
        await alarm(served, name, days)
    page = (await served.http.get("/review/dashboard")).text
    assert '<a href="/review/conversations?intent=balance">Balance</a>: more than usual' in page
    assert "30 % of the messages of 2 days instead of 5 %" in page
    assert "Entity <code>city</code>: more than usual" in page
    assert "Complaints: more than usual" in page


async def test_an_alarm_that_no_webhook_took_says_so_on_the_page_and_in_the_metrics(
    served: Served,
) -> None:
    await alarm(served, "corrections_pending")
    store = served.services.assistant.store
    tried = Delivery("given up", refusals=8, why="status 404")
    name = f"{now().date().isoformat()}:corrections_pending:more"
    log = MonitorLog(store.connection, store.keys, "drift")
    (kept,) = await log.alarms()
    await log.set_alarm("corrections_pending", {**kept, "id": name})
    await log.set_delivery("corrections_pending", tried.as_json())
    page = (await served.http.get("/review/dashboard")).text
    assert "given up: not taken by the webhook in 8 tries, the last answer: status 404" in page
    metrics = (await served.http.get("/metrics")).text
    assert 'agent_monitor{monitor="drift",what="given_up"} 1.0' in metrics


def test_the_fallback_rate_is_a_share_of_the_days_messages() -> None:
    day = Day(now().date(), 200, 50, 0, {})
    assert day.fallback_rate == 0.25
    assert replace(day, turns=0, fallbacks=0).fallback_rate == 0.0


async def test_a_saved_correction_says_what_it_corrected_to(served: Served) -> None:
    item = await complain(served, "hm")
    await served.services.assistant.queue.decide(
        item, "terminal", Judgement("correct", intent="balance")
    )
    page = (await served.http.get(f"/review/items/{item}?done={item}&kind=correct")).text
    assert "Corrected to “Balance”. It holds from the next message on." in page


async def test_the_audit_log_says_what_a_correction_became(served: Served) -> None:
    item = await complain(served, "hm")
    judged = Judgement("correct", intent="balance", answer="Soon.")
    await served.services.assistant.queue.decide(item, "ada", judged)
    page = (await served.http.get("/review/audit")).text
    assert "→ Balance, “Soon.”" in page


async def test_a_question_that_a_correction_answers_is_no_gap_any_more(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = served.services.assistant.brains.loaded.interpreter

    def understand(texts: list[str]) -> list[Understanding]:
        source = {"corrected": "correction"}
        return [Understanding(text, source=source.get(text, "model")) for text in texts]

    monkeypatch.setattr(interpreter, "understand", understand)
    asked = [Question(text, "c", "t", "") for text in ("corrected", "open")]
    assert [one.text for one in gaps.still_open(asked, interpreter)] == ["open"]


class FindsFees:
    """Knows something about fees, or nothing works."""

    broken = False

    def search(self, query: str, *, limit: int = 5) -> list[ScoredPassage]:
        if self.broken:
            raise ModelError("the index is damaged")
        return [passage(1, "Fee 8.")][:limit] if "fee" in query else []


async def test_a_gap_that_a_new_document_fills_is_shown_as_answered(served: Served) -> None:
    brain = served.services.assistant.brains.loaded
    asked = [Question(text, "c", "t", "") for text in ("what is the fee now?", "open")]
    base = KnowledgeBase(FindsFees(), first_sentence)
    found = gaps.look_again(asked, base)
    assert [question.found for question in found] == ["Title d1", ""]
    assert gaps.look_again(asked, None) == asked
    base.retriever.broken = True  # type: ignore[attr-defined]
    assert gaps.look_again(asked, base) == asked
    await served.say("what is the fee now?")
    brain.executor.speech.knowledge = KnowledgeBase(FindsFees(), first_sentence)
    page = (await served.http.get("/review/gaps")).text
    assert "No unanswered question" in page
    assert (
        page.index("Answered meanwhile")
        < page.index("what is the fee now?")
        < page.index("Title d1")
    )


async def test_an_admin_tries_a_model_beside_the_serving_one_and_ends_the_trial(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = served.services.assistant.registry
    monkeypatch.setattr(Registry, "start_trial", put_on_trial)
    form = {"csrf_token": await token(served, "/login")}
    assert (await served.http.post("/review/models/m2/trial", data=form)).status_code == 303
    await served.services.assistant.store.count("shadow_turns", 9)
    page = (await served.http.get("/review/models")).text
    assert "of 9 messages today it understood 0 otherwise" in page
    put_on_trial(registry, "m2", "canary")
    await served.services.assistant.store.count("canary:m2", 4)
    await served.services.assistant.store.count("canary_unsure:m2", 1)
    page = (await served.http.get("/review/models")).text
    assert "it answers 10 % of the conversations, 4 messages today" in page
    assert "1 (25 %)" in page
    await served.http.post("/review/models/trial/end", data=form)
    assert registry.trial() is None
    assert "ended the trial of" in (await served.http.get("/review/audit")).text


def put_on_trial(registry: Registry, version_id: str, mode: str) -> None:
    """A trial without a model behind it."""
    registry.folder.mkdir(exist_ok=True)
    pointer = TrialPointer(version_id, mode, 0.1, now().isoformat())  # type: ignore[arg-type]
    (registry.folder / TRIAL).write_text(json.dumps(asdict(pointer)), encoding="utf-8")


async def test_only_an_admin_puts_a_model_on_trial(served: Served) -> None:
    await served.add_user("ada")
    form = {"csrf_token": await sign_in(served)}
    for path in ("m2/trial", "trial/end"):
        answer = await served.http.post(f"/review/models/{path}", data=form)
        assert answer.status_code == 403


async def test_whoever_promotes_a_model_that_was_kept_back_is_told_why(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = served.services.assistant.store
    candidate = ModelVersion("m2", Path(), "candidate", created_at=now())
    monkeypatch.setattr(Registry, "versions", lambda _: [candidate])
    run = {"id": "r1", "ended_at": now().isoformat(), "decision": "kept", "corrections": 1}
    made = {**run, "reason": "it gets 2 tests wrong", "challenger": {"id": "m2"}}
    await store.learning.record(made)
    page = (await served.http.get("/review/models")).text
    assert "It was kept back: it gets 2 tests wrong. Serve m2 all the same?" in page
    assert 'kept <a href="/review/models/m2">' in page


async def test_the_models_page_waits_for_the_run_that_was_asked_for(served: Served) -> None:
    learning = served.services.assistant.store.learning
    assert "data-live" not in (await served.http.get("/review/models")).text
    await learning.request("ada")
    page = (await served.http.get("/review/models")).text
    assert "data-live" in page
    assert "Asked." in page
    assert await learning.requested() == "ada"
