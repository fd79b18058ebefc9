"""A headless Chromium, foreign pages to put the widget on, and a real server."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.accounts import add_person
from tests.browser.serving import Serving, Site, free_port

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests; they are left out where there is none."""
    executable = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if executable is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    async with async_playwright() as playwright:
        # Chromium's own sandbox needs rights that a container's root does not have.
        launched = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"]
        )
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile: no cookies, no storage."""
    opened = await browser.new_context(locale="en-GB", reduced_motion="reduce")
    opened.set_default_timeout(10_000)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page that fails its test when a script on it fails, or injected markup runs."""
    opened = await context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(f"script error: {error}"))
    opened.on("dialog", lambda dialog: problems.append(f"markup ran: {dialog.message}"))
    yield opened
    assert not problems


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A web site of somebody else, on an origin of its own."""
    folder = tmp_path_factory.mktemp("site")
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.fixture(scope="session")
def serving(
    trained_shop: Path, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """`agent serve` for a small project that the foreign site may call; ada is its admin."""
    root = Path(shutil.copytree(trained_shop, tmp_path_factory.mktemp("serving") / "shop"))
    settings = f'server:\n  cors_origins: ["{site.origin}"]\n  sign_ins_per_minute: 0\n'
    settings += "learning:\n  method: head\n"
    settings += "feedback:\n  draw: 0.0\n  double_check: 0.0\n"
    (root / "settings.yml").write_text(settings, encoding="utf-8")
    asyncio.run(add_person(root, "ada", "admin"))
    process = Serving(root, free_port())
    process.start()
    yield process
    process.stop()
