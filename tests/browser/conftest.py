"""A real Chromium on a served site; one browser for all tests, a fresh visitor and a fresh site for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.webchat_site import ChatSite, chat_site

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: Keeps every breach of the page's policy and every error of a script where a test finds them.
WATCH = "window.breaches = []; addEventListener('securitypolicyviolation', (event) => breaches.push(event.blockedURI));"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests on one event loop, where the one browser lives."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.browser)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Return Chromium; without it the tests are skipped, but not on CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("the browser tests need Chromium: apt-get install chromium")
        pytest.skip("Chromium is not installed")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ChatSite]:
    """Return a served site whose bot repeats what it hears."""
    async with chat_site(tmp_path) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Return a visitor who was never here; at the end no script has failed and no policy was breached."""
    opened = await browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB")
    await opened.add_init_script(WATCH)
    errors: list[Any] = []
    opened.on("weberror", lambda error: errors.append(error.error))
    opened.set_default_timeout(10_000)
    yield opened
    breaches = [breach for page in opened.pages for breach in await page.evaluate("window.breaches ?? []")]
    await opened.close()
    assert errors == []
    assert breaches == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, site: ChatSite) -> Page:
    """Return the brand's page."""
    opened = await context.new_page()
    await opened.goto(site.url)
    await opened.locator(".launcher").wait_for()
    return opened
