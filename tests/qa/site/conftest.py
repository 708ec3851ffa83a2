"""The made-up bank in the place of ours, and the site that is built from it."""

from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from qa import bank, proof, source
from qa.loading import Loaded
from tests.qa.site import made_up


def put_in_place(patch: pytest.MonkeyPatch, evidence: Path, loaded: Loaded) -> None:
    """Let the site see a made-up bank, with evidence that is fresh."""
    made_up.write_evidence(loaded, evidence)
    patch.setenv("NO_MKDOCS_2_WARNING", "1")
    patch.setattr(bank, "load", lambda: loaded)
    patch.setattr(proof, "EVIDENCE", evidence)
    patch.setattr(proof, "stale", lambda id, question: [])
    patch.setattr(proof, "lab_tasks", list)


def build_site(folder: Path) -> Path:
    """Build the site as `mkdocs build --strict` does, and return where it is."""
    build(load_config(str(source.ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


@pytest.fixture
def in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """The made-up bank, in the place of ours."""
    loaded = made_up.bank(4)
    put_in_place(monkeypatch, tmp_path / "evidence", loaded)
    return loaded


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the made-up bank, built once."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        put_in_place(patch, folder / "evidence", made_up.bank(4))
        return build_site(folder / "site")
