"""The widget by itself, against a scripted server."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.scripted import SERVER, Script, play
from tests.browser.serving import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ATTACK = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


def echo(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"text": f"you said {body['text']}"}]


async def open_chat(page: Page, site: Site, script: Script) -> None:
    await play(page.context, script)
    await page.goto(site.write("page.html", SERVER))
    await page.get_by_role("button", name="Open the chat").click()


async def say(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Your message").fill(text)
    await page.keyboard.press("Enter")


async def said_after_the_greeting(page: Page) -> list[str]:
    """The bubbles' words as they stand in the log, without who said them."""
    bubbles = await page.get_by_role("log").locator(".bubble").all_text_contents()
    return [bubble.partition(": ")[2] for bubble in bubbles[1:]]


async def test_one_script_tag_brings_the_chat_under_a_strict_policy(page: Page, site: Site) -> None:
    await open_chat(page, site, Script(echo))
    await expect(page.get_by_role("textbox", name="Your message")).to_be_focused()
    await say(page, "hello")
    await expect(page.get_by_role("log")).to_contain_text("you said hello")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Open the chat")).to_be_focused()


async def test_what_the_server_says_is_text_and_never_markup(page: Page, site: Site) -> None:
    reply = {
        "text": ATTACK,
        "buttons": [{"title": ATTACK, "payload": "/x"}],
        "elements": [{"title": ATTACK, "subtitle": ATTACK, "image_url": "javascript:alert(3)"}],
        "sources": [{"title": ATTACK, "text": ATTACK, "url": "javascript:alert(4)"}],
    }
    await open_chat(page, site, Script(lambda _: [reply]))
    await say(page, ATTACK)
    chat = page.get_by_role("log")
    await expect(chat.get_by_role("button", name=ATTACK)).to_be_visible()
    await chat.locator("summary").click()
    await chat.get_by_role("button", name="That's wrong").click()
    await expect(chat.get_by_label("<b>Money back</b>")).to_be_focused()
    assert await chat.locator("img, script, a, b").count() == 0


async def test_the_little_markdown_of_answers_is_shown_as_such(page: Page, site: Site) -> None:
    text = (
        "Choose **Export > <i>CSV</i>** or `tab`, see [our page](https://shop.example/a).\n"
        "| Format | For |\n|---|---|\n| CSV | sheets |\n[not](javascript:alert(1)) 2 ** 3 ** 4"
    )
    await open_chat(page, site, Script(lambda _: [{"text": text}]))
    await say(page, "**mine stays** as it is")
    chat = page.get_by_role("log")
    await expect(chat.locator("strong")).to_have_text("Export > <i>CSV</i>")
    await expect(chat.get_by_role("link")).to_have_attribute("href", "https://shop.example/a")
    await expect(chat.get_by_role("row")).to_have_text(["FormatFor", "CSVsheets"])
    await expect(chat).to_contain_text("[not](javascript:alert(1)) 2 ** 3 ** 4")
    await expect(chat).to_contain_text("**mine stays** as it is")


async def test_a_message_written_offline_is_sent_once_when_the_network_is_back(
    page: Page, site: Site
) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    script.down = True
    await say(page, "hello")
    await expect(page.get_by_role("status")).to_contain_text("No connection")
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("No connection")
    script.down = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.get_by_role("log")).to_contain_text("you said hello")
    assert [one["text"] for one in script.sent] == ["hello"]


async def test_each_answer_stands_after_its_own_question(page: Page, site: Site) -> None:
    script = Script(echo, pieces=True)
    await open_chat(page, site, script)
    script.down = True
    for text in ("one", "two", "three"):
        await say(page, text)
    await expect(page.get_by_role("status")).to_contain_text("No connection")
    script.down = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.get_by_role("log")).to_contain_text("you said three")
    for _ in range(2):
        answered = ["one", "you said one", "two", "you said two", "three", "you said three"]
        assert await said_after_the_greeting(page) == answered
        await page.reload()


async def test_a_message_tried_again_stands_where_it_is_answered(page: Page, site: Site) -> None:
    script = Script(lambda body: 400 if len(script.sent) == 1 else echo(body))
    await open_chat(page, site, script)
    for text in ("one", "two"):
        await say(page, text)
    await expect(page.get_by_role("log")).to_contain_text("you said two")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("log")).to_contain_text("you said one")
    assert await said_after_the_greeting(page) == ["two", "you said two", "one", "you said one"]


async def test_a_message_that_may_have_arrived_is_sent_again_under_its_id(
    page: Page, site: Site
) -> None:
    def answer(_: dict[str, Any]) -> list[dict[str, Any]] | int:
        return 503 if len(script.sent) == 1 else [{"text": "once"}]

    script = Script(answer)
    await open_chat(page, site, script)
    await say(page, "hello")
    await expect(page.get_by_role("log").get_by_text("once")).to_have_count(1)
    first, second = script.sent
    assert first == second


async def test_an_expired_token_begins_a_new_conversation_with_the_same_message(
    page: Page, site: Site
) -> None:
    script = Script(lambda _: 401 if script.begun == 1 else [{"text": "welcome back"}])
    await open_chat(page, site, script)
    await say(page, "hello")
    await expect(page.get_by_role("log")).to_contain_text("welcome back")
    assert script.begun == 2


async def test_a_refused_message_says_so_and_can_be_tried_again(page: Page, site: Site) -> None:
    script = Script(lambda _: 400 if len(script.sent) == 1 else [{"text": "now"}])
    await open_chat(page, site, script)
    await say(page, "hello")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("log")).to_contain_text("now")
    await expect(page.get_by_text("could not be sent")).to_have_count(0)


async def test_streamed_pieces_end_as_one_message(page: Page, site: Site) -> None:
    await open_chat(page, site, Script(lambda _: [{"text": "It costs| nine| euros."}], pieces=True))
    await say(page, "what does it cost")
    await expect(page.get_by_role("log").get_by_text("It costs nine euros.")).to_have_count(1)


async def test_quick_replies_send_their_payload_show_their_title_and_go(
    page: Page, site: Site
) -> None:
    offer = [{"text": "Hello", "buttons": [{"title": "My order", "payload": "/order_status"}]}]
    script = Script(lambda body: offer if body["text"] == "hi" else [{"text": "Which?"}])
    await open_chat(page, site, script)
    await say(page, "hi")
    await page.get_by_role("button", name="My order").click()
    await expect(page.get_by_role("log")).to_contain_text("Which?")
    assert script.sent[1]["text"] == "/order_status"
    await expect(page.get_by_role("log").get_by_text("My order")).to_be_visible()
    await expect(page.get_by_role("button", name="My order")).to_have_count(0)


async def test_thats_wrong_offers_the_likely_intents(page: Page, site: Site) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    await say(page, "hello")
    await page.get_by_role("button", name="That's wrong").click()
    await page.get_by_label("Money back").check()
    await page.get_by_label("In your own words").fill("I want it back")
    async with page.expect_response("**/api/feedback"):
        await page.get_by_role("button", name="Send", exact=True).first.click()
    await expect(page.get_by_text("A person will look at it")).to_be_visible()
    sent = script.feedback[0]
    assert (sent["turn_id"], sent["kind"], sent["intent"]) == ("turn-1", "intent", "refund")
    assert sent["reason"] == "I want it back"


async def test_a_thumb_down_leaves_room_for_its_reason(page: Page, site: Site) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    await say(page, "hello")
    async with page.expect_response("**/api/feedback"):
        await page.get_by_role("button", name="Not helpful").click()
    await expect(page.get_by_text("Thank you.")).to_be_visible()
    await expect(page.get_by_role("button", name="Helpful")).to_have_count(0)
    await page.get_by_role("button", name="That's wrong").click()
    await page.get_by_label("Something else").check()
    await page.get_by_label("In your own words").fill("it is out of date")
    async with page.expect_response("**/api/feedback"):
        await page.get_by_role("button", name="Send", exact=True).first.click()
    await expect(page.get_by_text("A person will look at it")).to_be_visible()
    first, second = script.feedback
    assert (first["kind"], first["liked"]) == ("thumbs", False)
    assert (second["liked"], second["reason"]) == (False, "it is out of date")


async def test_a_person_who_takes_over_is_announced_once(page: Page, site: Site) -> None:
    await open_chat(page, site, Script(echo, handoff=True))
    for text in ("a person please", "are you there"):
        await say(page, text)
        await expect(page.get_by_role("log")).to_contain_text(f"you said {text}")
    await expect(page.get_by_text("A person will take over")).to_have_count(1)


async def test_a_card_has_its_picture_words_and_buttons(page: Page, site: Site) -> None:
    card = {
        "title": "Gold card",
        "subtitle": "Everything included",
        "image_url": "https://shop.example/gold.png",
        "buttons": [{"title": "Order it", "payload": "/order"}],
    }
    script = Script(lambda _: [{"elements": [card]}])
    await open_chat(page, site, script)
    await say(page, "which cards are there")
    shown = page.get_by_role("log").get_by_role("listitem")
    await expect(shown).to_contain_text("Everything included")
    await shown.get_by_role("button", name="Order it").click()
    await expect(page.get_by_role("listitem")).to_have_count(2)
    assert script.sent[1]["text"] == "/order"


async def test_an_answer_longer_than_the_log_is_shown_from_the_question_on(
    page: Page, site: Site
) -> None:
    long = "\n".join(f"line {n}" for n in range(60))
    answers = {"long": [{"text": long}]}
    await open_chat(page, site, Script(lambda body: answers.get(body["text"]) or echo(body)))
    for text in ("one", "two", "three", "four", "five", "six", "seven"):
        await say(page, text)
        await expect(page.get_by_text(f"you said {text}")).to_be_in_viewport()
    await say(page, "long")
    await expect(page.get_by_role("log")).to_contain_text("line 59")
    await expect(page.locator("agent-chat .user .bubble").last).to_be_in_viewport(ratio=1)


async def test_starting_again_asks_first(page: Page, site: Site) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    again = page.get_by_role("button", name="Start again")
    await again.click()
    await expect(page.get_by_role("textbox", name="Your message")).to_be_focused()
    await say(page, "hello")
    await expect(page.get_by_role("log")).to_contain_text("you said hello")
    await again.click()
    await expect(page.get_by_text("This conversation disappears")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("log")).to_contain_text("you said hello")
    await again.click()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log")).not_to_contain_text("hello")
    await say(page, "anew")
    await expect(page.get_by_role("log")).to_contain_text("you said anew")
    assert script.begun == 2


async def test_what_waits_for_the_network_looks_different_from_what_was_sent(
    page: Page, site: Site
) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    await say(page, "sent")
    await expect(page.get_by_role("log")).to_contain_text("you said sent")
    script.down = True
    await say(page, "waits")
    await expect(page.get_by_role("status")).to_contain_text("No connection")
    dashed = "node => getComputedStyle(node).borderStyle"
    bubbles = page.locator("agent-chat .user .bubble")
    assert [await bubbles.nth(n).evaluate(dashed) for n in (0, 1)] == ["none", "dashed"]


async def test_feedback_beyond_the_quota_does_not_hold_up_messages(page: Page, site: Site) -> None:
    script = Script(echo, quota=0)
    await open_chat(page, site, script)
    await say(page, "hello")
    await page.get_by_role("button", name="Not helpful").click()
    await expect(page.get_by_text("That could not be sent")).to_be_visible()
    await say(page, "go on")
    await expect(page.get_by_role("log")).to_contain_text("you said go on")


async def test_a_reload_keeps_the_conversation(page: Page, site: Site) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    await say(page, "hello")
    await expect(page.get_by_role("log")).to_contain_text("you said hello")
    await page.reload()
    await expect(page.get_by_role("log").get_by_text("you said hello")).to_have_count(1)
    await say(page, "again")
    await expect(page.get_by_role("log")).to_contain_text("you said again")
    assert script.begun == 1


async def test_an_input_methods_enter_chooses_a_word_and_does_not_send(
    page: Page, site: Site
) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    box = page.get_by_role("textbox", name="Your message")
    await box.fill("ni hao")
    composing = {"key": "Enter", "isComposing": True, "bubbles": True}
    await box.dispatch_event("keydown", composing)
    assert await box.input_value() == "ni hao"
    assert not script.sent


async def test_it_speaks_the_pages_language_and_turns_for_right_to_left(
    page: Page, context: BrowserContext, site: Site
) -> None:
    await play(context, Script(echo))
    await page.goto(site.write("zh.html", SERVER, script='data-lang="zh-CN"'))
    await page.get_by_role("button", name="打开聊天窗口").click()
    await expect(page.get_by_role("log")).to_contain_text("有什么可以帮您")
    await page.goto(site.write("ar.html", SERVER, script='data-lang="ar"'))
    direction = "chat => chat.shadowRoot.querySelector('.panel').dir"
    assert await page.locator("agent-chat").evaluate(direction) == "rtl"


async def test_what_a_person_says_by_themselves_is_shown_and_answers_are_not_repeated(
    page: Page, site: Site
) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    await say(page, "a person please")
    await expect(page.get_by_role("log")).to_contain_text("you said a person please")
    message_id = script.sent[0]["message_id"]
    script.said = [
        {"from": "bot", "text": "you said a person please", "message_id": message_id, "at": "1"},
        {"from": "bot", "text": "Mary here, hello", "message_id": message_id, "at": "2"},
    ]
    await page.reload()
    await expect(page.get_by_role("log")).to_contain_text("Mary here, hello")
    await expect(page.get_by_text("you said a person please")).to_have_count(1)


async def test_two_tabs_share_one_conversation(
    page: Page, context: BrowserContext, site: Site
) -> None:
    script = Script(echo)
    await open_chat(page, site, script)
    await say(page, "hello")
    other = await context.new_page()
    await other.goto(page.url)
    await expect(other.get_by_role("log")).to_contain_text("you said hello")
    await say(other, "from the other tab")
    await expect(page.get_by_role("log")).to_contain_text("you said from the other tab")
    await asyncio.gather(say(page, "one"), say(other, "two"))
    await expect(page.get_by_role("log")).to_contain_text("you said two")
    await expect(other.get_by_role("log")).to_contain_text("you said one")
    assert script.begun == 1
    assert len({one["message_id"] for one in script.sent}) == 4
