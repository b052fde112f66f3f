"""The plan of a study that tunes, in words."""

from __future__ import annotations

from collections.abc import Sequence

from largebatch.settings.tuning import LEAST_SEEDS, Cell, TuneSettings
from largebatch.studies.estimate import Timing
from largebatch.studies.tune.plan import Plan, distinct
from largebatch.studies.tune.work import Work, total
from largebatch.terminal.words import counted

_PROMOTED = (
    "They go on from their checkpoints, and learning rates follow the schedule of all epochs from the start."
)
_CHOICE = (
    "The trial with the best validation accuracy after its last epoch wins its cell. A trial that diverges "
    "ends early and is kept."
)

FITTED = (
    "So many fitted into the budget when the study was begun, and another budget changes nothing; "
    "give trials in place of it for more."
)


def explain(plan: Plan, parts: Sequence[Work], timing: Timing, jobs: int) -> str:
    """The plan in sentences, a line each."""
    settings = plan.tuning.settings
    cells = distinct(part.cell for part in parts)
    sizes = _values(cells, "batch_size")
    at = f"batch sizes {sizes}" if "," in sizes else f"batch size {sizes}"
    sentences = [
        _sentence(plan.study.title),
        f"The study compares {_values(cells, 'optimizer')} at {at}.",
        _trained(cells),
        *_budgets(plan, cells),
        f"That makes {counted(len(cells), 'cell')}. {_trials(settings, cells[0])}",
        *(
            f"A trial of {optimizer} draws {'; '.join(map(str, space))}."
            for optimizer, space in plan.tuning.spaces.items()
            if any(cell.trials[0].optimizer == optimizer for cell in cells)
        ),
        *_given_rates(plan, cells),
        _judged_by(settings),
        *_promotion(cells[0]),
        *_fewer_stages(settings, cells),
        _CHOICE,
        f"The winner is trained anew with {counted(settings.seeds, 'seed')} on all training rows. Only then "
        "is the test part looked at.",
        "Optimizers are compared at equal batch size and budget, by the median over the seeds.",
        _ahead(settings.seeds),
        *_targets(settings),
        f"There are {total(parts, timing, jobs)} ({timing.basis}).{_more(settings, cells[0])}",
    ]
    return "\n".join(sentences)


def _sentence(title: str) -> str:
    return title if title.endswith((".", "?", "!")) else f"{title}."


def _values(cells: Sequence[Cell], name: str) -> str:
    return ", ".join(dict.fromkeys(str(getattr(cell.trials[0], name)) for cell in cells))


def _trained(cells: Sequence[Cell]) -> str:
    rows = _values(cells, "train_rows")
    part = "" if rows == "0" else f", {rows} training rows of it"
    epochs = _values([cell for cell in cells if cell.budget == cells[0].budget], "epochs")
    network, dataset = (_values(cells, name) for name in ("network", "dataset"))
    return f"The network is {network}, the data set {dataset}{part}; {epochs} epochs."


def _trials(settings: TuneSettings, cell: Cell) -> str:
    if _begins(cell):
        return (
            f"Each begins with one trial, whose time tells how many fit into {settings.budget}: equally many "
            "in all cells."
        )
    begun = f" {FITTED}" if settings.trials is None else ""
    return (
        f"Each gets {len(cell.trials)} trials, the first points of a scrambled Sobol sequence with seed "
        f"{settings.sequence}: the same points at every batch size.{begun}"
    )


def _begins(cell: Cell) -> bool:
    """Whether there is one trial so far, whose time tells how many fit."""
    return not cell.complete or len(cell.trials) == 1


def _more(settings: TuneSettings, cell: Cell) -> str:
    return f" Further trials follow, up to {settings.budget} in all." if _begins(cell) else ""


def _given_rates(plan: Plan, cells: Sequence[Cell]) -> list[str]:
    """The learning rates that trials do not draw: without tuned rates a comparison is hardly fair."""
    drawn = {
        optimizer
        for optimizer, space in plan.tuning.spaces.items()
        if any(dimension.setting == "learning_rate" for dimension in space)
    }
    firsts = [cell.trials[0] for cell in cells if cell.trials[0].optimizer not in drawn]
    rates = dict.fromkeys(f"{first.learning_rate:g} for {first.optimizer}" for first in firsts)
    return [f"The learning rate is given, and not tuned: {', '.join(rates)}."] if rates else []


def _judged_by(settings: TuneSettings) -> str:
    if not settings.validation_rows:
        return "A trial is judged by the data set's own validation part, and never sees the test part."
    return (
        f"A trial trains without {settings.validation_rows} of the training rows, is judged by these, and "
        "never sees the test part."
    )


def _promotion(cell: Cell) -> list[str]:
    """How trials are compared early, by the example of a cell."""
    if len(cell.rungs) == 1:
        return []
    stages = [
        f"{counted(count, 'trial')} for {counted(epochs, 'epoch')}"
        for count, epochs in cell.stages(len(cell.trials))
    ]
    return [
        f"The best {cell.share:.0%} of the trials go on after each stage: of {cell.title}, "
        f"{', then '.join(stages)}. {_PROMOTED}"
    ]


def _fewer_stages(settings: TuneSettings, cells: Sequence[Cell]) -> list[str]:
    """The lengths of runs, as the budget of updates has them, that are too short for all stages."""
    found = {}
    for cell in cells:
        epochs = cell.trials[0].epochs
        stages = len(settings.rungs(epochs))
        if stages <= len(settings.promote_after):
            found[epochs] = counted(stages, "stage")
    return [
        f"In {counted(epochs, 'epoch')} there {'is' if stages == '1 stage' else 'are'} {stages} only: "
        "fractions of promote_after fall together."
        for epochs, stages in found.items()
    ]


def _ahead(seeds: int) -> str:
    few = "" if seeds >= LEAST_SEEDS else f" With {counted(seeds, 'seed')} no difference can be told."
    return (
        "An optimizer is ahead of another one only if it is better with every seed, "
        f"{LEAST_SEEDS} at least.{few}"
    )


def _targets(settings: TuneSettings) -> list[str]:
    if not settings.target:
        return []
    *others, last = [f"{100 * target:g} %" for target in settings.target]
    reached = f"{', '.join(others)} and {last}" if others else last
    return [
        f"The report tells when the final runs first reached {reached}. The choice does not depend on it."
    ]


def _budgets(plan: Plan, cells: Sequence[Cell]) -> list[str]:
    updates = plan.tuning.settings.updates
    if updates is None:
        return ["There is one budget: equal epochs at all batch sizes."]
    sizes = {cell.trials[0].batch_size for cell in cells}
    found = {size: epochs for size, epochs in plan.epochs_of_updates.items() if size in sizes}
    lengths = ", ".join(f"{counted(epochs, 'epoch')} at {size}" for size, epochs in found.items())
    return [
        f"There are two budgets: equal epochs, and about {updates} updates, in whole epochs"
        f"{f' ({lengths})' if lengths else ''}. What both have is run once.",
        *plan.left_out,
    ]
