"""The report's page: what is in it, and how it behaves in a browser."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from largebatch.records.run_folder import RunFolder
from largebatch.report import figures
from largebatch.report.write import report
from largebatch.settings.training import Training
from largebatch.settings.tuning import UPDATES, Cell
from tests.support.browser import CHROMIUM, Browser
from tests.support.study_samples import finished_study, write_run, write_study
from tests.support.tuned import base, cell, write_tuned

RECORDS = Path(__file__).parents[2] / "recorded"
EVIL = (
    """<script>document.title = "taken"</script><img src=x onerror="document.title='taken'">'\\"&"""
    "]]></title></style></script>{{7*7}}-->"
)
WIDTHS = (390, 1280)
SMALLEST_LETTERS_PX = 8.5

OUTSIDE = (
    "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, pre, svg'))"
    ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
)
HEADINGS = "[...document.querySelectorAll('.sortable thead th')]"
HEADING = f"{HEADINGS}.find(th => th.textContent.startsWith('%s'))"
COLUMN = (
    f"(index => [...document.querySelectorAll('.sortable tbody tr')].map(tr => tr.cells[index].textContent))"
    f"({HEADINGS}.findIndex(th => th.textContent.startsWith('%s')))"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with runs of every kind."""
    folder = tmp_path_factory.mktemp("study")
    sizes = (64, 128, 256, 512, 1024, 8000, 16000, 28000, 32000)
    optimizers = ("sgd_momentum", "lars")
    trainings = [Training(optimizer=o, batch_size=b, epochs=3) for b in sizes for o in optimizers]
    finished_study(folder, trainings[:-3])
    write_study(folder, trainings, title=EVIL, description=EVIL)
    write_run(folder / "runs" / trainings[-3].name, trainings[-3], "failed", 1, reason=EVIL)
    write_run(folder / "runs" / trainings[-2].name, trainings[-2], "diverged", 1)
    (folder / "runs" / trainings[0].name / "result.json").write_text("{")
    study = json.loads((folder / "study.json").read_text())
    study["runs"][-4]["name"] = EVIL
    study["execution"][EVIL] = study["largebatch"] = study["name"] = EVIL
    (folder / "study.json").write_text(json.dumps(study))
    RunFolder(folder / "runs" / trainings[-3].name).write_versions({EVIL: EVIL})
    return report(folder).page


@pytest.fixture(scope="module")
def tuned_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study that tunes two optimizers at two batch sizes by two budgets, with targets."""
    cells: list[Cell] = []
    ended: dict[Training, tuple[str, list[float]]] = {}
    for place, (optimizer, size) in enumerate(itertools.product(("sgd_momentum", "lars"), (8, 16))):
        of = cell(4, (1, 2), share=0.5, of=base(optimizer, size, epochs=2))
        cells += [of, dataclasses.replace(of, budget=UPDATES)]
        ended |= {trial: ("paused", [0.5]) for trial in of.trials[2:]}
        ended |= {trial: ("finished", [0.5, 0.9]) for trial in of.trials[:2]}
        best = of.finals(of.trials[0])
        ended |= {run: ("finished", [0.6, 0.8 + 0.01 * place]) for run in best[:-1]}
        ended[best[-1]] = ("diverged", [0.1])
    return report(write_tuned(tmp_path_factory.mktemp("tuned") / "study", cells, ended, targets=(0.7,))).page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


# ---- without a browser ----


def test_data_are_escaped_and_nothing_is_loaded(page: Path) -> None:
    text = page.read_text()
    assert text.count("<script") == 1
    assert "<img" not in text
    assert "&lt;script&gt;document.title = &#34;taken&#34;" in text
    assert not re.findall(r'(?:src|href)="(?!#|data:,)[^"]*"', text)
    assert " style=" not in text
    assert not re.findall(r" on[a-z]+=", text.replace("&lt;img src=x onerror=", ""))


def test_the_policy_allows_this_style_and_script_alone(page: Path) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page.read_text())
    parts = policy.replace("&#39;", "'").split("; ")
    assert re.sub(r"sha256-[\w+/=]{44}", "HASH", " | ".join(parts)) == (
        "default-src 'none' | style-src 'HASH' | script-src 'HASH' | img-src data: | "
        "base-uri 'none' | form-action 'none'"
    )


def test_references_within_the_page_find_their_targets(page: Path) -> None:
    text = page.read_text()
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_what_it_takes_to_reproduce_recorded_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "draw", lambda results, cells, epochs: [])
    text = report(RECORDS / "study", tmp_path).page.read_text()
    assert "largebatch sweep recorded\n" in text
    assert "largebatch train --optimizer sgd_momentum --batch-size 64 --epochs 5 --seed 1\n" in text
    for name, value in (("learning_rate", "0.01, 1"), ("systemds", "3.4.0"), ("mode", "spark")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text


# ---- in a browser ----


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_loads_nothing_else(browser: Browser, page: Path, width: int, scheme: str) -> None:
    browser.open(page, width, scheme)
    assert browser.errors == []
    assert browser.requests == [page.resolve().as_uri()]
    assert browser.evaluate("document.title") == EVIL
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OUTSIDE) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_study_that_tunes_fits_and_leads_with_its_answer(
    browser: Browser, tuned_page: Path, width: int
) -> None:
    browser.open(tuned_page, width)
    assert browser.errors == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(OUTSIDE) == []
    assert browser.evaluate("document.querySelector('section[id] ~ section h2').textContent") == (
        "Which optimizer at which batch size"
    )
    headings = browser.evaluate("[...document.querySelectorAll('h2')].map(h => h.textContent)")
    assert {"Equal epochs beside equal updates", "Learning rates against batch size"} <= set(headings)
    assert "The paper's claims" not in headings


@pytest.mark.parametrize("width", WIDTHS)
def test_figures_are_visible_and_can_be_read(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width)
    drawings = browser.evaluate(
        "[...document.querySelectorAll('figure svg')].map(svg => [svg.getBoundingClientRect().width, "
        "Math.min(...[...svg.querySelectorAll('text')].map(t => parseFloat(t.getAttribute('font-size')))) "
        "* svg.getScreenCTM().a, svg.querySelectorAll('path, use').length])"
    )
    assert len(drawings) == 15
    for drawn_width, letters, shapes in drawings:
        assert drawn_width > 300
        assert letters > SMALLEST_LETTERS_PX
        assert shapes > 20


def _luminance(colour: str) -> float:
    """Relative luminance of rgb(...), as the contrast formula of WCAG has it."""
    parts = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_and_letters_stand_out(browser: Browser, page: Path, scheme: str) -> None:
    browser.open(page, 1280, scheme)
    style = "getComputedStyle(%s).%s"
    card = browser.evaluate(style % ("document.querySelector('figure')", "backgroundColor"))
    letters = browser.evaluate(
        "[...new Set([...document.querySelectorAll('figure text')].map(t => getComputedStyle(t).fill))]"
    )
    lines = browser.evaluate(
        "[...new Set([...document.querySelectorAll('figure path')]"
        ".filter(p => parseFloat(p.getAttribute('stroke-width')) > 1).map(p => getComputedStyle(p).stroke))]"
    )
    assert len(lines) >= 8
    assert min(_contrast(card, colour) for colour in letters) > 4.5
    assert min(_contrast(card, colour) for colour in lines) > 3
    body = "document.body"
    assert _contrast(*(browser.evaluate(style % (body, name)) for name in ("color", "backgroundColor"))) > 7


def test_on_paper_the_page_is_light(browser: Browser, page: Path) -> None:
    browser.open(page, 1280, "dark")
    browser.media("print", "dark")
    assert _luminance(browser.evaluate("getComputedStyle(document.querySelector('h1')).color")) < 0.05
    assert _luminance(browser.evaluate("getComputedStyle(document.querySelector('figure text')).fill")) < 0.05


@pytest.mark.parametrize("way", ["mouse", "Enter", " "])
def test_a_heading_sorts(browser: Browser, page: Path, way: str) -> None:
    browser.open(page, 1280)
    button = f"{HEADING % 'test accuracy'}.querySelector('button')"

    def use() -> list[str]:
        browser.evaluate(f"{button}.click()" if way == "mouse" else f"{button}.focus()")
        if way != "mouse":
            browser.press(way)
        column: list[str] = browser.evaluate(COLUMN % "test accuracy")
        return column

    def numbers(column: list[str]) -> list[float]:
        return [float(text.rstrip("%")) for text in column if text.endswith("%")]

    rising = use()
    assert numbers(rising) == sorted(numbers(rising))
    assert len(numbers(rising)) == 14
    assert set(rising[14:]) == {"–"}  # noqa: RUF001
    assert browser.evaluate(f"{HEADING % 'test accuracy'}.getAttribute('aria-sort')") == "ascending"
    falling = use()
    assert numbers(falling) == sorted(numbers(falling), reverse=True)
    assert set(falling[14:]) == {"–"}  # noqa: RUF001
    assert browser.evaluate(f"{HEADINGS}.filter(th => th.ariaSort).map(th => th.ariaSort)") == ["descending"]


def test_names_sort_as_text_with_numbers(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    browser.evaluate(f"{HEADING % 'run'}.querySelector('button').click()")
    column = browser.evaluate(COLUMN % "run")
    sizes = [int(name.split("-b")[1].split("-")[0]) for name in column if "lars" in name]
    assert sizes == [64, 128, 256, 512, 1024, 8000, 16000, 28000, 32000]


def test_runs_without_a_result_have_their_reason(browser: Browser, page: Path) -> None:
    browser.open(page, 390)
    reasons = dict(zip(browser.evaluate(COLUMN % "status"), browser.evaluate(COLUMN % "reason"), strict=True))
    assert reasons["failed"] == EVIL
    assert reasons["unreadable"].startswith("result.json can't be read: ")
    assert browser.evaluate("document.querySelectorAll('.problems li').length") == 3


def test_the_runs_of_a_claim_are_links_to_their_rows(browser: Browser, page: Path) -> None:
    browser.open(page, 1280)
    browser.evaluate("document.querySelector('.claims details').open = true")
    browser.evaluate("document.querySelector('.claims details a').click()")
    assert browser.evaluate("document.querySelector('tr:target').id === location.hash.slice(1)")
    assert browser.errors == []
