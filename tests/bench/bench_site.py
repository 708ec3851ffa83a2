"""What the plugin adds to a build: run as `python tests/bench/bench_site.py`.

Bound: `mkdocs build` with the plugin takes at most 1.25 times the CPU time of MkDocs alone on the same Markdown (what
`python -m qa.site export` writes), with the same theme and settings; medians of interleaved runs, 300 questions.
"""

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from qa import bank, loading, proof  # noqa: E402
from qa.site import generate  # noqa: E402
from tests.qa.site import made_up  # noqa: E402

BOUND = 1.25


def write_bank(folder: Path, many: int) -> None:
    """Write so many questions as YAML, with evidence that is fresh and a figure of the usual size."""
    from qa.figure import draw

    topic = folder / "questions" / "transformers"
    topic.mkdir(parents=True)
    (topic / "_topic.yaml").write_text("{title: Transformers, blurb: Attention., order: 2}\n", "utf-8")
    (folder / "sources.yaml").write_text(yaml.safe_dump({"vaswani2017attention": made_up.REFERENCE}), "utf-8")
    for n in range(many):
        id = made_up.SCALING if n == 0 else made_up.SELF if n == 1 else f"{made_up.SCALING}-{n}"
        data = copy.deepcopy(made_up.QUESTIONS[made_up.SELF if n == 1 else made_up.SCALING])
        data |= {"priority": 1 + n % 5, "question": f"{data['question']} Asked for the {n}th time."}
        data["answer"] += f"\n\nIn this one $x_{{{n}}} = {n}$."
        path = folder / "questions" / f"{id}.yaml"
        path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")
    use(folder)
    loaded = bank.load()
    made_up.write_evidence(loaded, proof.EVIDENCE)
    (proof.EVIDENCE / "labs" / "made_up.ipynb").unlink()
    figure = draw(lambda axes: axes.plot(range(60), [x**0.5 for x in range(60)]), "bench")
    (proof.EVIDENCE / "transformers" / "attention-scaling.spread.svg").write_text(figure, "utf-8")
    for id, question in loaded.questions.items():
        found = copy.deepcopy(made_up.EVIDENCE if id != made_up.SELF else {"checks": made_up.EVIDENCE["checks"]})
        found["shown"] = found.get("shown", {})
        for task in [*proof.tasks(id, question), *proof.mistake_tasks(id, question)]:
            entry = found.setdefault(task.section, {}).setdefault(task.name, {"made": made_up.MADE, "verdicts": {}})
            entry["key"] = task.key
            if task.mistake:
                entry["verdicts"].setdefault(task.mistake.says, "passes")
        if "spread" in found["shown"]:
            found["shown"]["spread"]["file"] = f"{id.partition('/')[2]}.spread.svg"
            proof.path_of(id).with_suffix(".spread.svg").write_text(figure, "utf-8")
        proof.path_of(id).write_text(json.dumps(found), "utf-8")


def use(folder: Path) -> None:
    """Take the bank and the evidence of a folder for ours."""
    for module in (bank, loading):
        module.QUESTIONS, module.SOURCES = folder / "questions", folder / "sources.yaml"  # type: ignore[attr-defined]
    proof.EVIDENCE = folder / "evidence"
    proof.lab_tasks = lambda wanted=None: []


def build(folder: Path, how: str) -> None:
    """Build the site, with the plugin or without it."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    if how == "plugin":
        use(folder)
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder / "with"), strict=True))
    else:
        build(load_config(str(folder / "mkdocs.yml"), strict=True))


def write_plain(folder: Path) -> None:
    """Export the pages, and write our settings without the plugin beside them."""
    use(folder)
    site = generate.generate(bank.load())
    if site.stale:
        raise SystemExit(f"the evidence should be fresh: {next(iter(site.stale.items()))}")
    generate.export(site, folder / "docs")
    settings: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    settings["plugins"] = [p for p in settings["plugins"] if p != "executable-answers"]
    settings["theme"]["custom_dir"] = str(ROOT / "qa" / "site" / "templates")
    settings |= {"docs_dir": "docs", "site_dir": "without", "nav": site.nav()}
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings), "utf-8")


def cpu_seconds(folder: Path, how: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--build", how, "--folder", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--build", choices=("plugin", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        build(options.folder, options.build)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bank(folder, options.questions)
        write_plain(folder)
        pages = len(list((folder / "docs").rglob("*.md")))
        times: dict[str, list[float]] = {"plugin": [], "plain": []}
        for _ in range(options.runs):
            for how, seconds in times.items():
                seconds.append(cpu_seconds(folder, how))
        ratios = [a / b for a, b in zip(times["plugin"], times["plain"], strict=True)]
        for how, seconds in times.items():
            print(f"{how:7} {pages} pages, CPU seconds: " + ", ".join(f"{s:.2f}" for s in seconds))
        ratio = statistics.median(times["plugin"]) / statistics.median(times["plain"])
        print(f"ratios {', '.join(f'{r:.3f}' for r in ratios)}; of the medians {ratio:.3f}, bound {BOUND}")
    return 0 if ratio <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
