"""The figures: which are drawn, and what their files hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes

from largebatch.records.reading import StudyRecord, read_study
from largebatch.report import figures, svg, tables
from largebatch.report.figures.style import Drawing, category, legend, render
from largebatch.settings.training import Training
from tests.support.study_samples import finished_study, write_run, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    """A study of two lines with a run that diverged."""
    sizes = (64, 1024, 8000)
    trainings = [
        Training(optimizer=o, batch_size=b, epochs=2) for b in sizes for o in ("sgd_momentum", "lars")
    ]
    folder = finished_study(tmp_path_factory.mktemp("figures"), trainings[:-1])
    write_study(folder, trainings)
    write_run(folder / "runs" / trainings[-1].name, trainings[-1], "diverged", 1)
    return read_study(folder)


def draw(study: StudyRecord) -> dict[str, figures.Figure]:
    results = tables.results(study)
    return {f.name: f for f in figures.draw(results, tables.cells(results), tables.epochs(study))}


@pytest.fixture(scope="module")
def drawn(study: StudyRecord) -> dict[str, figures.Figure]:
    return draw(study)


def test_what_is_drawn(drawn: dict[str, figures.Figure]) -> None:
    curves = [
        f"accuracy-by-{x}-{line}"
        for line in ("sgd-with-momentum", "lars")
        for x in ("epochs", "updates", "seconds")
    ]
    ratios = [f"trust-ratios-lars-b{size}" for size in (64, 1024, 8000)]
    norms = [f"gradient-norms-{line}" for line in ("sgd-with-momentum", "lars")]
    paper = ["test-accuracy", "train-accuracy", "generalization-error"]
    assert list(drawn) == [*paper, *curves, *ratios, *norms, "epoch-time"]


def test_figures_of_other_data_are_none_of_the_papers(study: StudyRecord) -> None:
    results = tables.results(study).assign(dataset="digits")
    found = figures.draw(results, tables.cells(results), tables.epochs(study))
    assert not any("of the paper" in figure.caption for figure in found)


def test_figures_hold_text_and_no_style_that_the_policy_forbids(drawn: dict[str, figures.Figure]) -> None:
    for figure in drawn.values():
        root = ET.fromstring(figure.inline)  # noqa: S314
        assert not [
            element for element in root.iter() if "style" in element.attrib or element.tag.endswith("style")
        ]
        words = {element.text for element in root.iter(f"{{{svg.SVG}}}text")}
        assert words & {"batch size", "epochs", "updates", "seconds of training, without evaluation"}
    words = {e.text for e in ET.fromstring(drawn["test-accuracy"].inline).iter(f"{{{svg.SVG}}}text")}  # noqa: S314
    assert {"64", "1024", "8000", "SGD with momentum", "LARS", "test accuracy"} <= words


def test_ids_are_unique_in_a_page_and_references_find_them(drawn: dict[str, figures.Figure]) -> None:
    page = "".join(figure.inline for figure in drawn.values())
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) == set(ids)


def test_every_colour_has_one_for_dark_screens(drawn: dict[str, figures.Figure]) -> None:
    for figure in drawn.values():
        for colour in set(re.findall(r'(?:stroke|fill)="(#[^"]+)"', figure.inline)):
            assert f'[stroke="{colour}"]' in svg.DARK_CSS, (figure.name, colour)


SETTINGS_OF_A_USER = {
    "text.usetex": True,
    "font.family": "monospace",
    "font.size": 20,
    "savefig.bbox": "tight",
    "axes.prop_cycle": mpl.cycler(color=["r", "g"]),
    "figure.dpi": 300,
}


def test_settings_of_the_user_change_nothing(
    drawn: dict[str, figures.Figure], study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "no number")
    with mpl.rc_context(SETTINGS_OF_A_USER):
        again = draw(study)
        assert mpl.rcParams["text.usetex"], "the user's settings are as they were"
    assert os.environ["SOURCE_DATE_EPOCH"] == "no number"
    assert again == drawn


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "no such backend"])
def test_a_backend_that_is_not_here_stops_no_figure(backend: str) -> None:
    """Notebooks hand theirs on to every command that is called in a cell."""
    environment = {**os.environ, "MPLBACKEND": backend}
    lines = ("from largebatch.report import figures", "import os", "print(os.environ['MPLBACKEND'])")
    command = [sys.executable, "-c", "; ".join(lines)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (backend, "")


def test_a_file_of_its_own_is_whole(drawn: dict[str, figures.Figure]) -> None:
    for figure in drawn.values():
        assert figure.file.startswith("<?xml")
        assert "prefers-color-scheme: dark" in figure.file
        assert figure.png.startswith(b"\x89PNG")


def test_twelve_lines_look_different() -> None:
    """Two budgets of six optimizers."""
    assert len({tuple(map(str, category(index).values())) for index in range(12)}) == 12


@pytest.mark.parametrize("lines", [2, 12])
def test_many_lines_do_not_squeeze_the_axes(lines: int) -> None:
    heights = []

    def draw(ax: Axes) -> None:
        for index in range(lines):
            ax.plot([1, 2], [index, index + 1], label=f"line {index}", **category(index))
        legend(ax, columns=1)
        ax.figure.canvas.mpl_connect("draw_event", lambda _: heights.append(ax.bbox.height / ax.figure.dpi))

    render(Drawing("lines", "batch-size", "Lines", "", draw))
    assert min(heights) > 1.2, "inches"
