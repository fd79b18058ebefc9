"""Takes the README's pictures: `python -m tests.browser.pictures --project DIR --out DIR`.

It serves a trained project, talks to it as a visitor would, and looks at the widget, the demo
page and the review page in light, dark, on a telephone, in Chinese and from right to left.
"""

import argparse
import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.serving import Serving, free_port

DESK = {"width": 1280, "height": 800}
TELEPHONE = {"width": 390, "height": 844}
TALK = ("hello", "what do I have to earn to qualify for a credit card")
ODD = ("my piggy bank is broken", "the money for my nephew", "send the 50 euros to Ana, not to Ben")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's name, the page it shows (after a link), and how the browser is set up for it."""

    name: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    say: tuple[str, ...] = ()
    direction: str = ""
    follow: str = ""


PICTURES = (
    Picture("review-queue", "/review", {"viewport": DESK}),
    Picture("review-item", "/review", {"viewport": DESK}, follow=ODD[-1]),
    Picture(
        "review-item-dark", "/review", {"viewport": DESK, "color_scheme": "dark"}, follow=ODD[-1]
    ),
    Picture("review-item-phone", "/review", {"viewport": TELEPHONE}, follow=ODD[-1]),
    Picture("review-dashboard", "/review/dashboard", {"viewport": DESK}),
    Picture("review-models", "/review/models", {"viewport": DESK}),
    Picture("widget-light", "/", {"viewport": DESK}, TALK),
    Picture("widget-dark", "/", {"viewport": DESK, "color_scheme": "dark"}, TALK),
    Picture("widget-phone", "/", {"viewport": TELEPHONE, "device_scale_factor": 2}, TALK),
    Picture("widget-zh", "/", {"viewport": DESK, "locale": "zh-CN"}, ("你好",)),
    Picture("widget-rtl", "/", {"viewport": DESK}, ("مرحبا، أين بطاقتي؟",), "rtl"),
)


async def take(browser: Browser, server: str, picture: Picture, out: Path) -> None:
    """Take one picture."""
    context = await browser.new_context(**{"locale": "en-GB", **picture.options})
    page = await context.new_page()
    await page.goto(f"{server}{picture.path}")
    if picture.follow:
        await page.get_by_role("link", name=picture.follow).click()
        await page.locator("h1").wait_for()
    if picture.direction:
        await page.evaluate(f"document.documentElement.dir = {picture.direction!r}")
        await page.evaluate(
            "document.querySelector('agent-chat').setAttribute('dir', document.dir)"
        )
    for text in picture.say:
        await say(page, text)
    if picture.say == TALK:
        await page.locator("agent-chat summary").first.click()
    await page.screenshot(path=out / f"{picture.name}.png")
    await context.close()


async def say(page: Page, text: str) -> None:
    """Say something and wait for the answer's thumbs."""
    answered = page.locator("agent-chat .thumb")
    before = await answered.count()
    await page.locator("agent-chat .compose textarea").fill(text)
    await page.keyboard.press("Enter")
    await answered.nth(before).wait_for()


async def complain(page: Page) -> None:
    """Say that the last answer was wrong."""
    await page.locator("agent-chat .wrong").last.click()
    await page.locator("agent-chat .correct input").first.check()
    await page.locator("agent-chat .correct textarea").fill("I said who gets it")
    await page.locator("agent-chat .correct .main").click()
    await page.get_by_text("A person will look at it").wait_for()


async def take_all(server: str, out: Path) -> None:
    """Take every picture, with a few odd messages in the queue."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"]
        )
        page = await browser.new_page()
        await page.goto(server)
        for text in ODD:
            await say(page, text)
        await complain(page)
        for picture in PICTURES:
            await take(browser, server, picture, out)
        await browser.close()


def main() -> None:
    """Serve a copy of a project, so that its own conversations are not touched."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, required=True, help="a trained project's folder")
    parser.add_argument("--out", type=Path, required=True, help="where the pictures go")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        root = Path(folder) / given.project.resolve().name
        shutil.copytree(given.project, root, ignore=shutil.ignore_patterns("redis*"))
        serving = Serving(root, free_port())
        serving.start()
        try:
            asyncio.run(take_all(serving.origin, given.out))
        finally:
            serving.stop()


if __name__ == "__main__":
    main()
