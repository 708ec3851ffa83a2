"""A built page in a real browser without a network: it shows its text, formulas and figures, and asks nobody."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

pytestmark = pytest.mark.slow

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PREFIX = "/some/where"
"""The site has to work below any path, so it is served below one."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the site below PREFIX, and nothing above it."""

    def translate_path(self, path: str) -> str:
        inside = path.removeprefix(PREFIX) if path.startswith(PREFIX + "/") else "/nothing"
        return super().translate_path(inside)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(built: Path) -> Iterator[str]:
    """Address of the built site on this machine."""
    handler = functools.partial(Quiet, directory=str(built))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}{PREFIX}"
        serving.shutdown()


class Visit:
    """A browser's visit: what it asked for, here and elsewhere, and what its console complained of."""

    def __init__(self, context: "BrowserContext") -> None:
        self.here: list[str] = []
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        context.route("**/*", self._route)
        self.page: Page = context.new_page()
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _route(self, route: "Route") -> None:
        url = route.request.url
        if url.startswith("http://127.0.0.1:"):
            self.here.append(url)
            route.continue_()
        else:
            self.elsewhere.append(url)
            route.abort()


@contextlib.contextmanager
def visiting(chromium: str, profile: Path, width: int = 1280, scheme: str = "light") -> Iterator[Visit]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            args=ARGUMENTS,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            bypass_csp=False,
        )
        try:
            yield Visit(context)
        finally:
            context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_question_page_shows_all_of_itself(
    chromium: str, server: str, tmp_path: Path, width: int, scheme: str
) -> None:
    with visiting(chromium, tmp_path, width, scheme) as visit:
        page = visit.page
        page.goto(f"{server}/transformers/attention-scaling/", wait_until="networkidle")
        assert page.get_by_role("heading", level=1).inner_text().startswith("Why is dot-product attention")
        assert page.get_by_text("Because the size of a dot product grows with the number of its terms.").is_visible()
        assert page.get_by_role("img", name="Largest weight").is_visible()
        assert page.get_by_text("The variance is").is_hidden(), "answers of drills are folded"

        boxes = page.eval_on_selector_all(
            "article math, article svg[role=img]",
            "all => all.filter(e => !e.closest('details')).map(e => [e.tagName.toLowerCase(), "
            "e.getBoundingClientRect().width, e.getBoundingClientRect().height])",
        )
        kinds = [kind for kind, _, _ in boxes]
        assert kinds.count("math") > 10
        assert kinds.count("svg") == 1
        assert all(wide > 3 and high > 3 for _, wide, high in boxes)
        assert page.evaluate("document.fonts.check('16px \"STIX Two Math\"')")
        assert page.evaluate("[...document.fonts].some(f => f.family.includes('STIX') && f.status == 'loaded')")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "only tables and formulas scroll"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 24, 30)"
        )
        assert visit.elsewhere == []
        assert visit.complaints == []
        assert len(visit.here) < 15


def test_the_whole_way_from_home_to_a_derivation(chromium: str, server: str, tmp_path: Path) -> None:
    """By links alone: home, a question, its snippet, back by the breadcrumbs to the topic."""
    with visiting(chromium, tmp_path) as visit:
        page = visit.page
        page.goto(f"{server}/")
        page.locator(".qa-list a", has_text="Why is dot-product").first.click()
        page.wait_for_url("**/transformers/attention-scaling/")
        page.get_by_role("link", name="derive_variance").first.click()
        page.wait_for_url("**/snippets/transformers/attention/#derive_variance")
        page.locator(".qa-needs a", has_text="Why is dot-product").first.click()
        page.locator(".md-path a", has_text="Transformers").click()
        page.wait_for_url("**/some/where/transformers/")
        assert visit.elsewhere == []
        assert visit.complaints == []


def test_search_finds_another_wording_and_loads_only_when_asked(chromium: str, server: str, tmp_path: Path) -> None:
    with visiting(chromium, tmp_path) as visit:
        page = visit.page
        page.goto(f"{server}/transformers/self-attention/", wait_until="networkidle")
        assert not [url for url in visit.here if "search_index" in url]
        page.locator(".md-search__input").click()
        page.locator(".md-search__input").press_sequentially("without the scaling factor", delay=20)
        page.locator(".md-search-result__link[href*='factor']").first.wait_for(timeout=10_000)
        first = str(page.locator(".md-search-result__link").first.get_attribute("href"))
        assert f"{PREFIX}/transformers/attention-scaling" in first
        assert len([url for url in visit.here if "search_index" in url]) == 1
        assert visit.elsewhere == []
        assert visit.complaints == []


def test_a_lab_shows_its_output(chromium: str, server: str, tmp_path: Path) -> None:
    with visiting(chromium, tmp_path) as visit:
        visit.page.goto(f"{server}/labs/made_up/", wait_until="networkidle")
        assert visit.page.get_by_text("forty-two").is_visible()
        assert visit.page.locator("article math").count() == 2
        assert visit.elsewhere == []
        assert visit.complaints == []
