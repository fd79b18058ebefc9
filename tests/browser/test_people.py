"""What people do with a real server: chat, complain, review; and what must never happen."""

import asyncio

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import BrowserContext, Dialog, Page, expect

from tests.browser.accounts import PASSWORD, add_person
from tests.browser.serving import Serving, Site
from tests.conftest import Run

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ODD = "it never turned up"
ATTACK = "<img src=x onerror=alert(1)>"
PAGES = ("", "/next", "/conversations", "/gaps", "/dashboard", "/monitor", "/models", "/audit")
NEWS = '{"text": "where is my parcel", "date": "2026-01-01T10:00:00Z"}\n'


async def open_chat(page: Page, address: str) -> None:
    await page.goto(address)
    await page.get_by_role("button", name="Open the chat").click()


async def say(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Your message").fill(text)
    await page.keyboard.press("Enter")


async def sign_in(page: Page, serving: Serving, name: str = "ada") -> None:
    await page.goto(f"{serving.origin}/review")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Review queue")).to_be_visible()


async def serious(page: Page) -> list[str]:
    """What axe-core calls serious or worse on a page."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{v['id']}: {v['nodes']}" for v in found if v["impact"] in ("serious", "critical")]


async def test_a_conversation_on_a_foreign_page(page: Page, site: Site, serving: Serving) -> None:
    await open_chat(page, site.write("shop.html", serving.origin))
    chat = page.get_by_role("log")
    await say(page, "hello")
    await page.get_by_role("button", name="Where is my order?").click()
    await expect(chat).to_contain_text("What is the order number?")
    await say(page, "C4321")
    await expect(chat).to_contain_text("Order C4321 is on its way.")
    await say(page, "what does shipping to Norway cost")
    source = chat.get_by_text("Source: Shipping abroad")
    await source.click()
    await expect(chat.locator("blockquote")).to_contain_text("nine euros")
    assert not await serious(page)


async def test_a_reload_and_a_restart_of_the_server_in_mid_conversation(
    page: Page, site: Site, serving: Serving
) -> None:
    await open_chat(page, site.write("shop.html", serving.origin))
    chat = page.get_by_role("log")
    await say(page, "where is my order")
    await expect(chat).to_contain_text("What is the order number?")
    await asyncio.to_thread(serving.stop)
    await say(page, "C4321")
    await expect(page.get_by_role("status")).to_contain_text("No connection")
    await page.reload()
    await asyncio.to_thread(serving.start)
    await expect(chat.get_by_text("Order C4321 is on its way.")).to_have_count(1, timeout=20_000)


async def test_a_complaint_is_reviewed_and_the_next_answer_is_right(
    page: Page, context: BrowserContext, site: Site, serving: Serving
) -> None:
    await open_chat(page, site.write("shop.html", serving.origin))
    await say(page, ODD)
    await page.get_by_role("button", name="That's wrong").click()
    await page.get_by_label("Something else").check()
    await page.get_by_label("In your own words").fill("I want my money back")
    async with page.expect_response("**/api/feedback") as taken:
        await page.get_by_role("button", name="Send", exact=True).first.click()
    assert (await taken.value).status == 202

    desk = await context.new_page()
    await sign_in(desk, serving)
    await expect(desk.get_by_role("listitem").filter(has_text=ODD)).to_contain_text("Feedback")
    await desk.get_by_role("link", name=ODD).focus()
    await desk.keyboard.press("Enter")
    await expect(desk.get_by_role("heading", level=1)).to_have_text(ODD)
    await expect(desk.get_by_text("I want my money back")).to_be_visible()
    await desk.keyboard.press("c")
    await desk.keyboard.type("refu")
    await desk.keyboard.press("Enter")
    await desk.keyboard.press("Control+Enter")
    await expect(desk.get_by_text("It holds from the next message on")).to_be_visible()

    await say(page, f"{ODD.upper()}!")
    await expect(page.get_by_role("log")).to_contain_text("Refunds take five days.")
    await desk.keyboard.press("u")
    await expect(desk.get_by_role("heading", level=1)).to_have_text(ODD)
    await desk.goto(f"{serving.origin}/review/audit")
    await expect(desk.get_by_role("row").filter(has_text="ada").first).to_be_visible()


async def test_entities_are_marked_with_keys_and_with_the_mouse(
    page: Page, context: BrowserContext, site: Site, serving: Serving
) -> None:
    text = "🎁 where is the blue box"
    await open_chat(page, site.write("shop.html", serving.origin))
    await say(page, text)
    await page.get_by_role("button", name="Not helpful").click()
    desk = await context.new_page()
    await sign_in(desk, serving)
    await desk.get_by_role("link", name=text).click()
    await expect(desk.get_by_role("heading", level=1)).to_have_text(text)
    await desk.keyboard.press("e")
    for key in ("ArrowRight",) * 5 + ("Shift+ArrowRight", "Enter"):
        await desk.keyboard.press(key)
    await desk.keyboard.type("order_number")
    await desk.keyboard.press("Enter")
    await expect(desk.get_by_role("button", name="Remove order_number: blue box")).to_be_visible()
    await desk.keyboard.press("Delete")
    await expect(desk.get_by_role("button", name="Remove order_number")).to_have_count(0)
    box = desk.get_by_label("Message, to mark entities in")
    await box.get_by_text("b", exact=True).first.click(click_count=2)
    await desk.get_by_label("Entity of").fill("order_number")
    await desk.keyboard.press("Enter")
    await desk.get_by_label("Right intent").fill("order_status")
    await desk.keyboard.press("Control+Enter")
    await expect(desk.get_by_text("It holds from the next message on")).to_be_visible()
    await say(page, text)
    await expect(page.get_by_role("log")).to_contain_text("Order blue is on its way.")


async def test_markup_in_messages_names_and_knowledge_is_shown_as_text(
    page: Page, context: BrowserContext, site: Site, serving: Serving
) -> None:
    await add_person(serving.root, "<b>ada</b>", "admin")
    await open_chat(page, site.write("shop.html", serving.origin))
    await say(page, ATTACK)
    await page.get_by_role("button", name="That's wrong").click()
    await page.get_by_label("Something else").check()
    await page.get_by_label("In your own words").fill(ATTACK)
    async with page.expect_response("**/api/feedback"):
        await page.get_by_role("button", name="Send", exact=True).first.click()
    assert await page.get_by_role("log").locator("img").count() == 0

    desk = await context.new_page()
    ran: list[str] = []
    desk.on("dialog", lambda dialog: ran.append(dialog.message))
    await sign_in(desk, serving, "<b>ada</b>")
    for path in PAGES:
        await desk.goto(f"{serving.origin}/review{path}")
        assert await desk.locator("main img, b:text-is('ada')").count() == 0, path
        if path in ("", "/next", "/conversations"):
            await expect(desk.get_by_text(ATTACK).first).to_be_visible()
    assert not ran


async def test_no_page_has_a_serious_fault_of_accessibility(
    page: Page, site: Site, serving: Serving, run_agent: Run
) -> None:
    counted = run_agent("monitor", "--project", str(serving.root), stdin=NEWS)
    assert counted.returncode == 0, counted.stderr
    await page.goto(serving.origin)
    await say(page, "hello")
    await expect(page.get_by_role("button", name="I want a refund")).to_be_visible()
    await page.get_by_role("button", name="That's wrong").click()
    assert not await serious(page)
    for path in ("login", "docs"):
        await page.goto(f"{serving.origin}/{path}")
        assert not await serious(page), path
    await sign_in(page, serving)
    for path in PAGES:
        await page.goto(f"{serving.origin}/review{path}")
        assert not await serious(page), path
    await page.emulate_media(color_scheme="dark")
    for path in ("", "/next", "/dashboard", "/monitor"):
        await page.goto(f"{serving.origin}/review{path}")
        assert not await serious(page), path


async def test_a_telephone_shows_every_page_in_its_width_and_the_keys_all_the_same(
    page: Page, serving: Serving
) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await sign_in(page, serving)
    for path in PAGES:
        await page.goto(f"{serving.origin}/review{path}")
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, path
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog").get_by_text("n", exact=True)).to_be_visible()


async def test_a_turn_that_nobody_complained_about_has_its_entities_put_right_with_keys(
    page: Page, context: BrowserContext, site: Site, serving: Serving
) -> None:
    await open_chat(page, site.write("shop.html", serving.origin))
    async with page.expect_response("**/messages"):
        await say(page, "hello")
    desk = await context.new_page()
    await sign_in(desk, serving)
    await desk.goto(f"{serving.origin}/review/conversations?q=hello")
    for key in ("j", "Enter"):
        await desk.keyboard.press(key)
    await desk.get_by_text("Correct this").first.focus()
    for key in ("Enter", "Tab", "Tab", "ArrowRight", "Enter"):
        await desk.keyboard.press(key)
    await desk.keyboard.type("order_number")
    for key in ("Enter", "Control+Enter"):
        await desk.keyboard.press(key)
    await expect(desk.get_by_text("It holds from the next message on")).to_be_visible()


async def test_a_form_of_another_site_changes_nothing(
    page: Page, site: Site, serving: Serving
) -> None:
    await sign_in(page, serving)
    form = f'<form method="post" action="{serving.origin}/review/models/rollback"><button>Win</button></form>'  # noqa: E501
    (site.folder / "forged.html").write_text(form, encoding="utf-8")
    await page.goto(f"{site.origin}/forged.html")
    async with page.expect_navigation() as answer:
        await page.get_by_role("button", name="Win").click()
    assert (await answer.value).status in (303, 403)
    await expect(page.get_by_role("heading", name="Review queue")).to_have_count(0)


async def test_another_model_serves_only_after_a_second_yes(
    context: BrowserContext, serving: Serving, run_agent: Run
) -> None:
    before = (serving.root / "models" / "production").read_text("utf-8")
    trained = run_agent("train", "--method", "head", "--project", str(serving.root))
    assert trained.returncode == 0, trained.stderr
    after = (serving.root / "models" / "production").read_text("utf-8")
    desk = await context.new_page()
    await sign_in(desk, serving)
    await desk.goto(f"{serving.origin}/review/models")
    button = desk.get_by_role("button", name=f"Roll back to {before.strip()}")
    asked: list[str] = []

    async def decline(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.dismiss()

    desk.once("dialog", decline)
    await button.click()
    assert asked == [f"Serve {before.strip()} again instead of the present model?"]
    assert (serving.root / "models" / "production").read_text("utf-8") == after
    desk.once("dialog", lambda dialog: dialog.accept())
    await button.click()
    await expect(desk.get_by_role("row", name=before.strip())).to_contain_text("production")
    assert (serving.root / "models" / "production").read_text("utf-8") == before


async def test_a_learning_run_is_followed_without_a_reload(
    context: BrowserContext, serving: Serving
) -> None:
    desk = await context.new_page()
    await sign_in(desk, serving)
    await desk.goto(f"{serving.origin}/review/models")
    runs = desk.locator("#learning tbody tr").filter(has_not_text="None yet.")
    before = await runs.count()
    await desk.get_by_role("button", name="Learn now").click()
    await expect(desk.locator("#learning .banner")).to_be_visible()
    await expect(runs).to_have_count(before + 1, timeout=60_000)
    await expect(desk.locator("#learning .banner")).to_have_count(0, timeout=20_000)


async def test_an_intent_that_is_new_is_called_so_before_it_is_saved(
    context: BrowserContext, serving: Serving
) -> None:
    desk = await context.new_page()
    await sign_in(desk, serving)
    await desk.goto(f"{serving.origin}/review/conversations")
    await desk.locator("[data-list] a").first.click()
    await desk.locator("summary", has_text="Correct this").first.click()
    field, note = desk.get_by_role("combobox").first, desk.locator("[data-new]").first
    await field.fill("never heard of")
    await desk.keyboard.press("Enter")
    await expect(field).to_have_value("never_heard_of")
    await expect(note).to_be_visible()
    await field.fill("ret")
    await expect(note).to_be_hidden()
