"""`largebatch report`: from a study's folder to the files of its report."""

from __future__ import annotations

import dataclasses
import io
import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from largebatch.errors import UserError
from largebatch.files.safe import readable, write_atomically
from largebatch.records.reading import StudyRecord, read_study
from largebatch.report import figures, markdown, page, ranking, rates, readings, summary, tables
from largebatch.report.content import Content, accuracy_table, accuracy_title
from largebatch.report.protocols import part as protocols
from largebatch.report.protocols.runs import compares
from largebatch.report.targets.part import Targets
from largebatch.report.tuning import part as tuning_part
from largebatch.report.tuning import table as tuning
from largebatch.settings.selection import EVERY, Only
from largebatch.settings.tuning import EPOCHS
from largebatch.terminal.table import align


@dataclass(frozen=True)
class Report:
    """A written report: its page, a summary as text, and sentences about runs that were left out."""

    page: Path
    text: str
    problems: list[str]


def report(
    path: Path,
    out: Path | None = None,
    epoch: int | None = None,
    only: Only = EVERY,
    *,
    per_worker: bool = False,
) -> Report:
    """Write tables, figures and page of the study in a folder, there or into `out`.

    `epoch` reports as if all runs had stopped there, `only` leaves runs out, `per_worker` reads the paper's
    batch size as that of one worker. Raises UserError if the folder is no study's, or for an `epoch` or
    `only` that can't be used.
    """
    study = read_study(path)
    if study.tuning and (only or epoch is not None):
        raise UserError(f"{study.name} chooses settings from all its runs: leave out --only and --epoch")
    study = study.only(only)
    if epoch is not None:
        study = study.after(epoch)
    words = ["largebatch", "report", str(path)]
    words += ["--epoch", str(epoch)] if epoch is not None else []
    words += [word for name, values in only.items() for word in ("--only", f"{name}={','.join(values)}")]
    words += ["--per-worker"] if per_worker else []
    content = _content(study, readable(shlex.join(words)), per_worker)
    folder = out or path
    try:
        _write(content, folder)
    except OSError as error:
        raise UserError(f"{folder} can't be written to: {error.strerror}; name another by --out") from error
    return Report(folder / "report.html", _text(content), study.problems)


def _content(study: StudyRecord, command: str, per_worker: bool) -> Content:
    if study.tuning:
        return _tuned(study, command, per_worker)
    return _usual(study, tables.results(study), tables.epochs(study), command, per_worker)


def _tuned(study: StudyRecord, command: str, per_worker: bool) -> Content:
    """The content for a study that tunes: its final runs in place of all, and a part about the choice."""
    cells = tuning.cells(study)
    budgets = tuning.of_budgets(study, cells)
    results, epochs = tuning.finals(study, budgets), tuning.final_epochs(study, budgets)
    content = _usual(budgets[EPOCHS], results, epochs, command, per_worker)
    part = tuning_part.part(cells)
    further = {budget: Targets.of(of) for budget, of in budgets.items() if budget != EPOCHS}
    steps = {EPOCHS: content.more["targets"]} if "targets" in content.more else {}
    steps |= {budget: of.steps for budget, of in further.items() if len(of.steps)}
    return dataclasses.replace(
        content,
        sentences=[
            *part.sentences,
            *(f"By {tuning_part.name_of(EPOCHS)}, {text}" for of in content.parts for text in of.sentences),
        ],
        parts=[
            part,
            *content.parts,
            *(p for budget, of in further.items() for p in of.part(tuning_part.name_of(budget))),
        ],
        figures=[*figures.draw_tuned(tuning.compared(cells), results), *content.figures],
        more={
            **({"targets": tuning.steps(steps)} if steps else {}),
            "trials": tuning.trials(cells),
            "tuned": tuning.tuned(cells),
        },
    )


def _usual(
    study: StudyRecord, results: pd.DataFrame, epochs: pd.DataFrame, command: str, per_worker: bool
) -> Content:
    by_batch_size = not compares(study)
    shown = results if by_batch_size else results.iloc[:0]
    cells = tables.cells(shown)
    comparisons = summary.compare_with_paper(study, results, per_worker=per_worker)
    targets = Targets.of(study)
    parts = [*protocols.part(study), *targets.part(), *ranking.part(shown)]
    found = [] if study.epoch or tables.tunes(results) else readings.readings(study, per_worker=per_worker)
    return Content(
        study=study,
        results=results,
        cells=cells,
        epochs=epochs,
        figures=[
            *(figures.draw(results, cells, epochs) if by_batch_size else ()),
            *figures.draw_rates(rates.errors(shown), tables.headline(results).partition("_")[0]),
            *figures.draw_targets(targets.medians, epochs, targets.knees()),
            *protocols.drawings(study),
        ],
        sentences=[
            *summary.sentences(results, cells, comparisons),
            *readings.sentence(found),
            *(sentence for part in parts for sentence in part.sentences),
        ],
        comparisons=comparisons,
        readings=found,
        per_worker=per_worker,
        command=command,
        parts=parts,
        by_batch_size=by_batch_size,
        more={"targets": targets.steps} if len(targets.steps) else {},
    )


def _write(content: Content, out: Path) -> None:
    figures.write_figures(content.figures, out)
    write_atomically(out / "results.csv", content.results.to_csv(index=False).encode())
    write_atomically(out / "results.parquet", _parquet(content.results))
    write_atomically(out / "epochs.csv", content.epochs.to_csv(index=False).encode())
    for name, table in content.more.items():
        write_atomically(out / f"{name}.csv", table.to_csv(index=False).encode())
    if content.readings:
        write_atomically(out / "readings.csv", readings.table(content.readings).to_csv(index=False).encode())
    write_atomically(out / "report.md", markdown.render(content).encode())
    write_atomically(out / "report.html", page.render(content))


def _parquet(table: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_parquet(file, engine="pyarrow", index=False)
    return file.getvalue()


def _text(content: Content) -> str:
    """Summary, accuracies and verdicts for a terminal; in place of these the tables of parts that lead."""
    parts = [content.study.title, "\n".join(f"- {sentence}" for sentence in content.sentences)]
    leading = [f"{table.title}\n{align(table.rows)}" for p in content.parts if p.leads for table in p.tables]
    if leading:
        return "\n\n".join([*parts, *leading])
    accuracy = accuracy_table(content.cells)
    if len(accuracy) > 1:
        shown = align([[cell.text for cell in row] for row in accuracy])
        parts.append(f"{accuracy_title(content.cells)}\n{shown}")
    for comparison in content.comparisons:
        rows = [
            f"{claim.number}. {claim.paper} {claim.verdict.upper()}"
            + (f" ({claim.seeds})" if claim.seeds else "")
            for claim in comparison.claims
        ]
        parts.append(f"The paper's claims, {comparison.lars} against {comparison.sgd}\n" + "\n".join(rows))
    return "\n\n".join(parts)
