"""The command line as a user meets it, as far as it goes without a JVM: refusals, lists, helps."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

import largebatch as package
from largebatch.cli.main import main
from largebatch.data import SOURCES
from largebatch.engine.host import Host
from largebatch.engine.own import OWN_JVM
from largebatch.engine.submitted import SubmittedJvm
from largebatch.records.run_folder import RunFolder
from largebatch.records.study_folder import StudyFolder
from largebatch.settings.execution import Execution
from largebatch.settings.training import Training
from largebatch.studies.library import load, shipped
from tests.support.command import call
from tests.support.patience import TIMEOUT_S
from tests.support.samples import dataset, write_dataset

COMMAND = [sys.executable, "-m", "largebatch"]
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
SMALL = """name = "small"
fixed = {dataset = "idx", network = "softmax", epochs = 3}
[[grid]]
batch_size = [8, 16]
[execution]
mode = "local"
memory = "512m"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a user with an empty cache, no data and no network."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("LARGEBATCH_")},
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "LARGEBATCH_MIRROR": "file:///nonexistent/",
        "COLUMNS": "100",
        "PYTHONUNBUFFERED": "",  # empty is unset
    }


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The working directory: data, an empty folder, a run that has not trained, and a used folder."""
    folder = tmp_path / "work"
    write_dataset(folder / "data")
    (folder / "empty").mkdir()
    (folder / "used").mkdir()
    (folder / "used" / "notes.txt").write_text("mine")
    training = Training(dataset="idx", network="softmax", batch_size=8)
    (folder / "small.toml").write_text(SMALL)
    (folder / "wrong.toml").write_text(SMALL.replace("[8, 16]", "[8, 9]"))
    RunFolder.create(folder / "run", training, Execution(mode="local", memory="512m"), dataset())
    return folder


@pytest.fixture
def largebatch(work: Path, environment: dict[str, str]) -> Run:
    def run(*arguments: str, host: Host = OWN_JVM) -> Done:
        with contextlib.chdir(work), patch.dict(os.environ, environment, clear=True):
            return call(arguments, host)

    return run


def tree(folder: Path) -> dict[str, bytes | None]:
    """All that lies in a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_memory_that_cannot_be_had_is_told_in_a_sentence(largebatch: Run) -> None:
    with patch("largebatch.data.catalog", side_effect=MemoryError("Unable to allocate 2 TiB")):
        done = largebatch("data", "list")
    assert done.returncode == 1
    assert done.stderr.startswith("largebatch: this process can't have the memory that it needs (Unable to")


# ---- input that is refused ----

IDX = ("train", "--dataset", "idx", "--data-dir", "data", "--network", "softmax", "--memory", "700m")

BEFORE_DATA = [
    (
        "train --batch-size 1023",
        "--batch-size 1023 is not a multiple of --workers 4; the nearest are 1020 or 1024",
    ),
    ("train --workers 3", "--batch-size 1024 is not a multiple of --workers 3; the nearest are 1023 or 1026"),
    ("train --epochs 0", "--epochs 0 must be at least 1"),
    ("train --learning-rate nan", "--learning-rate nan must be finite, 0 or more"),
    ("train --learning-rate -1", "--learning-rate -1.0 must be finite, 0 or more"),
    ("train --milestones 0.75,0.5", "--milestones must be fractions"),
    (
        "train --optimizer sgd --momentum 0.9",
        f"{Training(optimizer='sgd').foreign('momentum')}: leave it out, or choose another --optimizer",
    ),
    (
        "train --network softmax --padding same",
        Training(network="softmax").foreign("padding"),
    ),
    ("train --factor 0.5", "--factor belongs to --schedule multi_step, not to inverse_time"),
    ("train --warmup-epochs 11", "--warmup-epochs 11 is more than --epochs 10"),
    ("train --memory nonsense", "--memory 'nonsense' must be a number with m or g"),
    ("train --stall-timeout inf", "--stall-timeout inf must be above 0"),
    ("train --resume missing", "missing is not the folder of a run: it has no config.json"),
    ("train --resume empty", "empty is not the folder of a run: it has no config.json"),
    (
        "train --resume run --epochs 20 --learning-rate 3",
        "--resume takes its settings from run: leave out --learning-rate, --epochs",
    ),
    ("train --resume run --memory 1", "--memory '1' must be a number with m or g"),
    ("train --conf spark.x", "--conf 'spark.x' must be KEY=VALUE with a key of Spark, such as "),
    ("sweep quick --conf x.y=1", "--conf 'x.y=1' must be KEY=VALUE with a key of Spark, such as "),
    (
        "bench --conf spark.speculation=true",
        "--conf spark.speculation can't be set: a worker that runs twice",
    ),
    ("train --out hdfs://name/runs", "hdfs://name/runs is not on this machine: results and data are files"),
    ("sweep quick --data-dir s3a://bucket/x", "s3a://bucket/x is not on this machine"),
    ("sweep quick --out file://elsewhere/x", "file://elsewhere/x is not on this machine"),
    ("train --dataset idx", "the data set idx is read from a folder with train-images-idx3-ubyte, "),
    ("train --dataset idx --data-dir missing", "'missing', named by --data-dir, is not a folder"),
    (
        "train --dataset idx --data-dir empty",
        "empty lacks train-images-idx3-ubyte, train-labels-idx1-ubyte, ",
    ),
    (
        "sweep missing",
        f"there is no study 'missing'; there are {', '.join(shipped(tuning=False))}, or",
    ),
    ("sweep missing.toml", "there is no file missing.toml: look at its name and folder"),
    ("sweep wrong.toml", "wrong.toml, line 4: batch_size 9 is not a multiple of workers 4"),
    ("sweep paper --data-dir empty", "empty lacks train-images-idx3-ubyte"),
    ("sweep paper --data-dir empty --dry-run", "empty lacks train-images-idx3-ubyte"),
    ("sweep quick --out used", "used is not empty and holds no study: name another folder by --out"),
    ("sweep quick --out run", "run is not empty and holds no study"),
    ("sweep quick --memory 6G", "--memory '6G' must be a number with m or g"),
    ("data prepare nonsense", f"there is no data set 'nonsense'; there are {', '.join(SOURCES)}"),
    ("data prepare idx", "the data set idx is read from a folder with"),
    ("predict missing data/t10k-images-idx3-ubyte", "missing is not the folder of a run"),
    (
        "predict run data/t10k-images-idx3-ubyte --out missing/x.csv",
        "--out missing/x.csv is no file in a folder",
    ),
    ("predict run data/t10k-images-idx3-ubyte", "run holds no trained model yet: train it with"),
]


@pytest.mark.parametrize(("line", "words"), BEFORE_DATA)
def test_unusable_input_is_one_line_and_leaves_nothing(
    largebatch: Run, tmp_path: Path, line: str, words: str
) -> None:
    before = tree(tmp_path)
    done = largebatch(*line.split())
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert message.startswith("largebatch: ")
    assert words in message
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "--batch-size 8 --out used",
            "used is not empty: name another folder by --out, or go on with --resume",
        ),
        ("--batch-size 8 --out used/notes.txt", "used/notes.txt cannot be made a run's folder: "),
        ("--batch-size 8 --master local-cluster[3,1,1024]", "has 3 slots for --workers 4"),
        ("--batch-size 8 --master mars", "--master 'mars' is not understood; use local[n]"),
        ("--batch-size 8 --master spark://h:many", "--master 'spark://h:many' has an impossible port"),
        (
            "--batch-size 8 --master spark://h:1 --secure",
            "--secure on spark://h:1 takes the cluster's secret (its spark.authenticate.secret) from a file",
        ),
        ("--dataset mnist", "train-images-idx3-ubyte is not MNIST's train-images-idx3-ubyte"),
        ("--batch-size 44", "--batch-size 44 is more than the 40 training rows of IDX folder data: with"),
        ("--batch-size 8 --memory 900000g", "--memory 900000g is more than the "),
        (
            "--batch-size 8 --network lenet --padding valid",
            "--padding valid needs images of at least 16 x 16, IDX folder data has 4 x 4",
        ),
    ],
)
def test_settings_that_do_not_fit_are_one_line_once_the_data_are_read(
    largebatch: Run, tmp_path: Path, line: str, words: str
) -> None:
    before = tree(tmp_path)
    done = largebatch(*IDX, *line.split())
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    reading, message = done.stderr.splitlines()
    assert reading.startswith("reading ")
    assert message.startswith("largebatch: ")
    assert words in message
    assert tree(tmp_path) == before


def test_a_run_is_not_resumed_on_other_data(largebatch: Run, work: Path, tmp_path: Path) -> None:
    write_dataset(work / "other", rows=44)
    before = tree(tmp_path)
    done = largebatch("train", "--resume", "run", "--data-dir", "other")
    assert done.returncode == 2
    assert "largebatch: run was begun on other data than the IDX folder other found now" in done.stderr
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--only colour=red", "--only colour=red: there is no such setting; `largebatch train"),
        ("--only batch_size=9", "--only batch_size=9: no run of small has it; there are 8, 16"),
        ("--memory 900000g", "small, run idx-softmax-lars-b8-e3-s1: --memory 900000g is more than the "),
        ("--memory 600m --jobs 4000", "--memory 600m for each of 4000 sessions is more than the "),
        ("--out used/notes.txt", "used/notes.txt cannot be made a study's folder: "),
    ],
)
def test_studies_that_do_not_fit_are_refused_before_anything_runs(
    largebatch: Run, tmp_path: Path, line: str, words: str
) -> None:
    before = tree(tmp_path)
    done = largebatch("sweep", "small.toml", "--data-dir", "data", *line.split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr.splitlines()[-1]
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--master yarn", "--master can't be given in a batch job: give it to spark-submit"),
        ("--memory 2g", "--memory can't be given in a batch job: give it to spark-submit as --driver-memory"),
        ("--jobs 2", "--jobs can't be given in a batch job: there is one JVM"),
        ("--isolate", "--isolate can't be given in a batch job: there is one JVM for all runs"),
    ],
)
def test_a_batch_job_has_what_spark_submit_was_given(largebatch: Run, line: str, words: str) -> None:
    done = largebatch("sweep", "small.toml", "--data-dir", "data", *line.split(), host=SubmittedJvm())
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert words in message


def test_a_program_under_spark_submit_is_no_batch_job_by_itself(
    largebatch: Run, environment: dict[str, str]
) -> None:
    environment["PYSPARK_GATEWAY_PORT"] = "1"
    line = "sweep small.toml --data-dir data --dry-run --jobs 2 --isolate --memory 512m"
    done = largebatch(*line.split())
    assert done.returncode == 0, done.stderr


def test_a_dry_run_lists_the_runs_and_leaves_nothing(largebatch: Run, tmp_path: Path) -> None:
    before = tree(tmp_path)
    done = largebatch("sweep", "small.toml", "--data-dir", "data", "--dry-run", "--only", "batch-size=16")
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()[:2]] == [
        ["run", "state", "epochs", "to", "do", "time"],
        ["idx-softmax-lars-b16-e3-s1", "new", "3", "3s"],
    ]
    assert done.stdout.splitlines()[-1].startswith(
        "1 run: 1 new; 3 epochs to do, about 3s (not measured yet: "
    )
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (36, "run idx-softmax-lars-b8-e1-s1-.*: --batch-size 8 is more than the 4 training rows that "),
        (40, "--validation-rows 40 leaves no training row of the 40 of IDX folder data; lower it"),
    ],
)
def test_a_study_is_checked_on_the_rows_that_validation_leaves(
    largebatch: Run, work: Path, rows: int, words: str
) -> None:
    fixed = '[fixed]\ndataset = "idx"\nnetwork = "softmax"\nbatch_size = 8\nepochs = 1\n'
    for last, status in ((32, 0), (rows, 2)):
        study = f'name = "cut"\ntitle = "T"\n{fixed}[[grid]]\nvalidation_rows = [0, {last}]\n'
        (work / "cut.toml").write_text(study)
        done = largebatch("sweep", "cut.toml", "--data-dir", "data", "--dry-run")
        assert done.returncode == status, done.stderr
    assert re.search(words, done.stderr)


@pytest.mark.parametrize(
    ("grid", "count"),
    [
        ('data_placement = ["driver", "executors", "auto"]', 2),
        ('data_placement = ["auto"]\nreshuffle_every = [0, 1]', 1),
    ],
)
def test_runs_that_are_the_same_once_their_placement_is_known_are_one(
    largebatch: Run, work: Path, grid: str, count: int
) -> None:
    fixed = '[fixed]\ndataset = "idx"\nnetwork = "softmax"\nbatch_size = 8\nepochs = 1\n'
    (work / "placed.toml").write_text(f'name = "placed"\n{fixed}[[grid]]\n{grid}\n')
    done = largebatch("sweep", "placed.toml", "--data-dir", "data", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"{count} run{'s' if count > 1 else ''}: {count} new" in done.stdout


def test_a_run_that_was_begun_keeps_its_placement_also_without_data(largebatch: Run, work: Path) -> None:
    fixed = f'[fixed]\ndataset = "{work / "data"}"\nnetwork = "softmax"\nbatch_size = 8\nepochs = 1\n'
    grid = '[[grid]]\ndata_placement = "auto"\nseed = [1, 2]\n'
    (work / "placed.toml").write_text(f'name = "placed"\n{fixed}{grid}')
    study = load(str(work / "placed.toml"))
    for placement in ("driver", "executors"):
        runs = tuple(dataclasses.replace(run, data_placement=placement) for run in study.runs)
        (work / placement).mkdir()
        StudyFolder(work / placement).write(dataclasses.replace(study, runs=runs), Execution())
    for data in ("data", "moved"):
        (work / "data").rename(work / data)
        for placement in ("driver", "executors"):
            done = largebatch("sweep", "placed.toml", "--out", placement, "--dry-run")
            assert (done.returncode, "2 runs: 2 new" in done.stdout) == (0, True), done.stderr


def test_a_dry_run_needs_no_data(largebatch: Run, tmp_path: Path) -> None:
    before = tree(tmp_path)
    done = largebatch("sweep", "paper", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "56 runs: 56 new" in done.stdout
    assert "MNIST is not on this machine" in done.stderr
    assert tree(tmp_path) == before


def test_a_run_in_use_is_not_resumed(largebatch: Run, work: Path) -> None:
    with RunFolder(work / "run").lock():
        done = largebatch("train", "--resume", "run", "--data-dir", "data")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("largebatch: run is in use by another process")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("nonsense", "argument COMMAND: invalid choice: 'nonsense'"),
        ("train --optimizer adamax", "argument --optimizer: invalid choice: 'adamax' (choose from "),
        ("train --mode mesos", "argument --mode: invalid choice: 'mesos' (choose from "),
        ("train --epochs ten", "argument --epochs: 'ten' must be a whole number"),
        ("train --epochs 1.5", "argument --epochs: '1.5' must be a whole number"),
        ("train --learning-rate fast", "argument --learning-rate: 'fast' must be a number"),
        ("train --milestones half", "argument --milestones: 'half' must be numbers separated by commas"),
        ("train --out a --resume run", "argument --resume: not allowed with argument --out"),
        ("train --lr 3", "unrecognized arguments: --lr 3"),
        ("train extra", "unrecognized arguments: extra"),
        ("sweep", "the following arguments are required: STUDY"),
        ("sweep quick --jobs 0", "argument --jobs: '0' must be a whole number, 1 or more"),
        (
            "sweep quick --limit-time soon",
            "argument --limit-time: 'soon' must be a time such as 1h30m, 90m",
        ),
        (
            "sweep quick --only lars",
            "argument --only: 'lars' must be like optimizer=lars,seed=1,2",
        ),
        ("sweep quick --seed 3", "unrecognized arguments: --seed 3"),
        ("doctor --workers many", "argument --workers: 'many' must be a whole number"),
        ("data", "the following arguments are required: ACTION"),
        ("data prepare", "the following arguments are required: DATASET"),
        ("predict run", "the following arguments are required: IMAGES"),
    ],
)
def test_misspelt_commands_get_one_line(largebatch: Run, tmp_path: Path, line: str, words: str) -> None:
    before = tree(tmp_path)
    done = largebatch(*line.split())
    assert done.returncode == 2
    assert done.stdout == ""
    errors = done.stderr.splitlines()
    assert len(errors) == 1
    assert errors[0].endswith(" --help")
    assert re.match(r"largebatch[a-z ]*: error: ", errors[0])
    assert words in errors[0]
    assert "_" not in errors[0].partition("(choose from")[0], "no name of ours"
    assert tree(tmp_path) == before


# ---- what works ----


def test_data_are_listed_without_a_network_or_a_cache(largebatch: Run, tmp_path: Path) -> None:
    before = tree(tmp_path)
    done = largebatch("data", "list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(SOURCES)
    assert all(line.endswith("not here") for line in lines[::2])
    assert tree(tmp_path) == before


def test_data_that_are_there_are_listed_with_their_place(
    largebatch: Run, work: Path, environment: dict[str, str]
) -> None:
    environment["LARGEBATCH_DATA"] = str(work / "data")
    done = largebatch("data", "list")
    assert done.stdout.count(f"{work / 'data'}\n") == 2, "these files could be MNIST's too: they are not read"


def test_version(largebatch: Run) -> None:
    done = largebatch("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{package.__version__}\n", "")


@pytest.mark.parametrize(
    "command", ["", "train", "sweep", "doctor", "data", "data list", "data prepare", "predict"]
)
def test_every_command_has_a_help(largebatch: Run, command: str) -> None:
    done = largebatch(*command.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: largebatch {command}".strip())


@pytest.mark.parametrize(
    ("command", "settings", "others"),
    [
        ("train", (Training, Execution), ["(default: runs/NAME)", "in mlflow, tensorboard, or both"]),
        (
            "sweep",
            (Execution,),
            ["(default: runs/STUDY)", "(default: OUT/runs)", "(default: 1)", "in mlflow,"],
        ),
        ("doctor", (), ["(default: 4)"]),
    ],
)
def test_helps_mention_the_defaults(
    largebatch: Run, command: str, settings: tuple[type[Training] | type[Execution], ...], others: list[str]
) -> None:
    text = " ".join(largebatch(command, "--help").stdout.split())
    for field in (field for kind in settings for field in dataclasses.fields(kind)):
        assert f"--{field.name.replace('_', '-')}" in text
    fields = sum(len(dataclasses.fields(kind)) for kind in settings)
    assert text.count("(default: ") == fields + len(others)
    assert all(other in text for other in others)


@pytest.mark.parametrize("command", ["data list", "train --help", "--version"])
def test_a_reader_who_has_had_enough_is_no_crash(
    work: Path, environment: dict[str, str], command: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, *command.split()],
            cwd=work,
            env=environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_output_that_cannot_be_written_is_one_line(work: Path, environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "data", "list"],
            cwd=work,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "largebatch: [Errno 28] No space left on device\n"


def test_a_file_that_may_not_be_read_is_unusable_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path / "study.json"))

    monkeypatch.setattr("largebatch.report.compare.is_study", refuse)
    with pytest.raises(SystemExit) as end:
        main(["compare", "a", "b"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "largebatch: a/study.json can't be used: Permission denied\n"


def test_a_command_without_any_output_channel_works(work: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "data", "list"],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
