"""The page of the monitor: bars by tone, alarms, items, a label put right."""

from pathlib import Path

from agent.monitor.sources import FileSource
from agent.monitor.windows import DAY_S, History, Series, field_name
from agent.web.pages.monitor import WINDOWS, Wanted, charts
from tests.agent.monitor.test_monitor import QUIET, SURGE, monitor, work, write
from tests.agent.web.serving import Served

ATTACK = "<script>alert(1)</script>"


async def watched(served: Served, folder: Path) -> None:
    rows = [*QUIET, *SURGE, (30, f"people positive {ATTACK} {ATTACK}")]
    watching = monitor(served.services.assistant.store)
    await watching.log.begin()
    await watching.log.note({"width_s": DAY_S})
    await work(watching, FileSource(write(folder / "a.jsonl", rows)))


async def test_without_a_monitor_the_page_says_what_to_run(served: Served) -> None:
    assert "agent monitor news.jsonl" in (await served.http.get("/review/monitor")).text


async def test_the_page_shows_alarms_with_their_headlines(served: Served, tmp_path: Path) -> None:
    await watched(served, tmp_path)
    page = (await served.http.get("/review/monitor")).text
    assert "items surged in" in page
    assert "macro negative crash number" in page
    assert ATTACK not in page


async def test_the_metrics_count_items_and_alarms(served: Served, tmp_path: Path) -> None:
    await watched(served, tmp_path)
    text = (await served.http.get("/metrics")).text
    assert 'agent_monitor{monitor="news",what="items"} 121.0' in text
    assert 'agent_monitor{monitor="news",what="alarms"} 2.0' in text


async def test_items_are_shown_by_topic_and_tone(served: Served, tmp_path: Path) -> None:
    await watched(served, tmp_path)
    page = (await served.http.get("/review/monitor?topic=people&tone=positive")).text
    table = page.split("<tbody>")[1]
    assert "people positive" in table
    assert "crash" not in table


async def test_whatever_is_asked_for_is_answered(served: Served, tmp_path: Path) -> None:
    await watched(served, tmp_path)
    for query in ("name=%00", "topic=%F0%9F%98%80", "tone=x", "at=99999999999999999999", "at=-1"):
        assert (await served.http.get(f"/review/monitor?{query}")).status_code in (200, 400, 422)


async def test_a_wrong_topic_is_put_right_and_counts_at_once(
    served: Served, tmp_path: Path
) -> None:
    await watched(served, tmp_path)
    page = (await served.http.get("/review/monitor")).text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "text": "macro negative crash number 1", "intent": "balance"}
    answer = await served.http.post("/review/monitor/correct", data={**form, "name": "news"})
    assert answer.status_code == 303
    accepted = await served.services.assistant.store.corrections("accepted")
    assert [(c.text, c.intent) for c in accepted] == [("macro negative crash number 1", "balance")]


async def test_a_wrong_tone_is_put_right_with_its_topic(served: Served, tmp_path: Path) -> None:
    await watched(served, tmp_path)
    page = (await served.http.get("/review/monitor")).text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "text": "macro negative crash number 1", "intent": "balance"}
    refused = await served.http.post("/review/monitor/correct", data={**form, "tone": "angry"})
    assert refused.status_code == 400
    await served.http.post("/review/monitor/correct", data={**form, "tone": "positive"})
    (kept,) = await served.services.assistant.store.corrections("accepted")
    assert (kept.intent, dict(kept.labels)) == ("balance", {"sentiment": "positive"})


async def test_bars_and_alarms_lead_to_the_items_of_their_window(
    served: Served, tmp_path: Path
) -> None:
    await watched(served, tmp_path)
    page = (await served.http.get("/review/monitor")).text
    link = page.split('<a href="?')[2].split("#items")[0].replace("&amp;", "&")
    assert "at=17" in link
    table = (await served.http.get(f"/review/monitor?{link}")).text
    assert "in the window of 2026-01" in table


async def test_a_forged_correction_is_refused(served: Served, tmp_path: Path) -> None:
    form = {"csrf_token": "guess", "text": "x", "intent": "balance"}
    assert (await served.http.post("/review/monitor/correct", data=form)).status_code == 403


def test_bars_stack_to_the_height_of_their_count() -> None:
    history = History(DAY_S)
    for day, negative in enumerate((1, 3)):
        series = Series("topic", "macro")
        history.put(
            day * DAY_S,
            {field_name(series, "negative"): negative, field_name(series, "positive"): 1},
        )
    (chart,) = charts(history, 0, [])
    by_tone = {(b.x, b.tone): b.height for b in chart.blocks}
    assert by_tone == {
        (0, "negative"): 25,
        (0, "positive"): 25,
        (1, "negative"): 75,
        (1, "positive"): 25,
    }
    assert all(0 <= b.x < WINDOWS and 0 <= b.y <= 100 for b in chart.blocks)


def test_an_item_fits_its_topic_its_tone_its_names_and_its_windows() -> None:
    named = [{"label": "organization", "value": "$Acme"}]
    row = {"topic": "macro", "sentiment": "negative", "window": 5 * DAY_S, "entities": named}
    fitting = (Wanted(), Wanted("macro", "negative", 5 * DAY_S), Wanted(entity="acme"))
    assert all(wanted.fits(row, DAY_S) for wanted in (*fitting, Wanted(at=7 * DAY_S, windows=3)))
    others = (Wanted("macro", "positive"), Wanted("markets"), Wanted(entity="other"))
    assert not any(wanted.fits(row, DAY_S) for wanted in (*others, Wanted(at=7 * DAY_S, windows=2)))


async def test_an_alarm_of_a_name_leads_to_the_items_that_name_it(
    served: Served, tmp_path: Path
) -> None:
    await watched(served, tmp_path)
    log = monitor(served.services.assistant.store).log
    (alarm, *_) = await log.alarms()
    name = {"kind": "entity", "name": "acme & co", "windows": 3, "id": "x"}
    await log.add_alarm("x", {**alarm, **name})
    page = (await served.http.get("/review/monitor")).text
    assert "&amp;entity=acme%20%26%20co&amp;windows=3#items" in page
    told = (
        await served.http.get("/review/monitor?entity=acme+%26+co&at=1769644800&windows=3")
    ).text
    assert "that name <bdi>acme &amp; co</bdi> in the 3 windows up to 2026-01-29" in told
