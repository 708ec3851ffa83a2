"""The MkDocs plugin: hands what `generate` makes to MkDocs, and says what is wrong with the evidence."""

import itertools
import logging
import re
from pathlib import Path
from typing import Any, Literal

from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.livereload import LiveReloadServer
from mkdocs.plugins import BasePlugin, CombinedEvent, event_priority
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page
from mkdocs.utils.templates import TemplateContext

from qa import bank, proof, source
from qa.site import labs
from qa.site.generate import Site, generate
from qa.site.mathml import BadFormula, Formula

log = logging.getLogger("mkdocs.plugins.executable-answers")

SCROLLED = (
    r'<div class="qa-scroll" tabindex="0" role="region" aria-label="Table"><table class="qa-table">\1</table></div>'
)
_NOT_FOUND = re.compile(r'<svg\b.*?</svg>|<div class="[^"]*highlight[^"]*"><pre.*?</pre></div>', re.DOTALL)
_MATH, _TAG = re.compile(r"<math\b.*?</math>", re.DOTALL), re.compile(r"<[^>]+>")
_TABLE = re.compile(r"<table>(.*?)</table>", re.DOTALL)
WATCHED = (bank.QUESTIONS, bank.SOURCES, proof.EVIDENCE, source.ROOT / "snippets", Path(__file__).parent)


class Options(Config):  # type: ignore[no-untyped-call]
    """Options in mkdocs.yml: none."""


class ExecutableAnswers(BasePlugin[Options]):  # type: ignore[no-untyped-call]
    """Adds a page for every question, topic and snippet, and the lists of the home page."""

    def __init__(self) -> None:
        self.site: Site | None = None
        self.math: dict[Formula, str] = {}
        self.content = ""

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        """Nothing to do; that it is here makes `mkdocs serve` keep this object, and the formulas that it knows."""

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        self.site = self._generated()
        config.nav = self.site.nav()
        return config

    def _generated(self) -> Site:
        try:
            return generate(bank.load(), self.math)
        except (bank.BankError, BadFormula, source.NotFoundInSource) as error:
            raise PluginError(f"the question bank cannot be shown:\n{error}") from error

    @event_priority(50)  # before mkdocs-jupyter, which picks the labs out of the files
    def on_files(self, files: Files, *, config: MkDocsConfig) -> Files:
        assert self.site is not None
        in_nav = {uri for uri in self.site.pages if uri.endswith("/index.md")} | {
            "questions.md",
            "tags.md",
            "sources.md",
        }
        for uri, text in self.site.pages.items():
            inclusion = InclusionLevel.INCLUDED if uri in in_nav else InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, uri, content=text, inclusion=inclusion))
        for uri, content in self.site.files.items():
            files.append(File.generated(config, uri, content=content))
        for uri, _ in self.site.labs:
            folder = labs.prepared(proof.EVIDENCE / uri, self.site.math)
            files.append(File(uri, str(folder), config.site_dir, config.use_directory_urls))
        for id, found in self.site.stale.items():
            level = logging.WARNING if config.strict else logging.INFO
            some = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
            log.log(level, "evidence of %s is stale or missing: %s. Mend it: python -m qa prove %s", id, some, id)
        return files

    def on_nav(self, nav: Navigation, *, config: MkDocsConfig, files: Files) -> Navigation:
        """Give pages outside the navigation their place: above them the topic, beside them the next by priority."""
        assert self.site is not None
        top = {section.title: section for section in nav.items if isinstance(section, Section)}
        topics = {section.title: section for section in top["Questions"].children if isinstance(section, Section)}
        page_of = {file.src_uri: file.page for file in files.documentation_pages() if file.page}
        for topic, ids in self.site.order.items():
            chain = [page_of[f"{topic}/index.md"], *(page_of[f"{id}.md"] for id in ids)]
            for before, after in itertools.pairwise(chain):
                after.parent = topics[self.site.titles[topic]]
                before.next_page, after.previous_page = after, before
        for uri, page in page_of.items():
            if uri.startswith("snippets/") and uri != "snippets/index.md":
                page.parent = top["Snippets"]
        return nav

    def on_page_markdown(self, markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        assert self.site is not None
        if page.file.src_uri in self.site.pages:
            return markdown
        page.meta.setdefault("search", {"exclude": True} if page.is_homepage else {"boost": 0.3})
        return self.site.by_hand(markdown)

    def on_page_content(self, html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
        if page.file.src_uri.endswith(".ipynb"):
            page.meta.setdefault("description", f"{page.title}: a notebook that was run from top to bottom.")
            return labs.lean(html, Path(page.file.src_uri).stem)
        return _TABLE.sub(SCROLLED, html)

    @event_priority(100)
    def _before_search(self, context: TemplateContext, *, page: Page, config: MkDocsConfig, nav: Navigation) -> None:
        """Show the search only what can be found: its parser takes a third of a build over figures and code."""
        self.content = page.content or ""
        page.content = _MATH.sub(lambda math: _TAG.sub("", math[0]), _NOT_FOUND.sub("", self.content))

    @event_priority(-100)
    def _after_search(self, context: TemplateContext, *, page: Page, config: MkDocsConfig, nav: Navigation) -> None:
        page.content = self.content

    on_page_context = CombinedEvent(_before_search, _after_search)

    def on_serve(self, server: LiveReloadServer, *, config: MkDocsConfig, builder: Any) -> LiveReloadServer:
        for path in WATCHED:
            if path.exists():
                server.watch(str(path))
        return server
