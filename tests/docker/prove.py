"""The proof of the image without a Docker engine: started by prove.sh, as root, in namespaces of its own.

build   Debian by debootstrap, cut down as Debian's slim images are; on it, in overlay file systems as an
        image's layers are, the Dockerfile's steps as they stand there, with the build context that
        .dockerignore leaves. The machine's settings of apt and pip, and its certificates, are lent to the
        steps that run, and stay out of the image.
run     the command in what came out, as its user, without privileges, on a read-only root with volumes:
        `doctor`, as the health check calls it, then a study. Then the containers of compose.yaml, and the
        same study on their cluster. Every number must be that of the study outside, to the last bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from docker.utils.build import exclude_paths

from largebatch.data import digits
from largebatch.data.idx import write_idx
from largebatch.data.idx_folder import spellings
from tests.docker.dockerfile import Settings, Step, read_stages, settings_of

ROOT = Path(__file__).resolve().parents[2]
STAGES = read_stages((ROOT / "docker/Dockerfile").read_text())
SUITE = "bookworm"
MAXIMUM_S = 1200  # for any one command
# What Debian leaves out of its slim images; the copyright files stay.
SLIM = ("doc", "groff", "info", "lintian", "linda", "locale", "man")
SLIM_RULES = [f"path-exclude /usr/share/{name}/*" for name in SLIM]
SLIM_RULES += ["path-include /usr/share/doc/*/copyright"]
STUDY = "tests/docker/proof.toml"
HEAP = ("--memory", "2g")


def say(text: str) -> None:
    """A line of the proof's record."""
    print(text, flush=True)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how long something took, if it went well."""
    start = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - start:.0f} s")


def call(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """What a command prints. Raises CalledProcessError, after what it said, if it fails."""
    words = list(map(str, command))
    run = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=MAXIMUM_S, check=False, env=env)
    if run.returncode:
        say(run.stdout)
        raise subprocess.CalledProcessError(run.returncode, shlex.join(words))
    return run.stdout


# ---- layers ----


class Layers:
    """The layers of the image, in a folder; what they are made of names them, as in an engine's cache."""

    def __init__(self, work: Path) -> None:
        self.base = work / "base"
        self._folder = work / "layers"
        self._folder.mkdir(exist_ok=True)

    def of(self, name: str) -> list[Path]:
        """The layers of a stage, lowest first; those that aren't there yet included."""
        base = STAGES[name].base
        layers = self.of(base) if base in STAGES else [self.base]
        for step, settings in making_layers(name):
            made_of = f"{layers[-1].name} {step} {settings} {self._copied(step)}"
            digest = hashlib.sha256(made_of.encode())
            layers.append(self._folder / digest.hexdigest()[:12])
        return layers

    def mount(
        self, layers: Sequence[Path], new: Path | None = None
    ) -> contextlib.AbstractContextManager[Path]:
        """Layers as one file system while the block runs; what is written makes a new one, or is refused."""
        below = ":".join(str(layer) for layer in reversed(layers))
        return self._mounted(f"ro,lowerdir={below}") if new is None else self._written(below, new)

    @contextlib.contextmanager
    def _mounted(self, options: str) -> Iterator[Path]:
        root = Path(tempfile.mkdtemp(dir=self._folder, prefix="root-"))
        call(["mount", "-t", "overlay", "overlay", "-o", options, root])
        try:
            yield root
        finally:
            call(["umount", root])
            root.rmdir()

    @contextlib.contextmanager
    def _written(self, below: str, new: Path) -> Iterator[Path]:
        parts = [new.with_suffix(suffix) for suffix in (".part", ".spare")]
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
        with self._mounted(f"lowerdir={below},upperdir={parts[0]},workdir={parts[1]}") as root:
            yield root
        shutil.rmtree(parts[1])
        parts[0].rename(new)

    def _copied(self, step: Step) -> str:
        """Tells one content of what a step copies from another."""
        if step.word == "RUN":
            return ""
        if step.options:
            return self.of(origin(step))[-1].name
        paths = [path for path in context(step.text.split()[:-1]) if (ROOT / path).is_file()]
        return " ".join(f"{p} {hashlib.sha256((ROOT / p).read_bytes()).hexdigest()}" for p in paths)


def origin(step: Step) -> str:
    """The stage that a COPY takes from."""
    (option,) = step.options
    return option.removeprefix("--from=")


def make_base(base: Path) -> None:
    """A minimal Debian, as in Debian's slim images; one that is there already is taken as it is."""
    if base.exists():
        return
    part = base.with_name("base.part")
    shutil.rmtree(part, ignore_errors=True)
    form = ("--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {SUITE}", "Component: main")
    mirrors = call(["apt-get", "indextargets", *form]).split()
    with timed("debootstrap"):
        call(["debootstrap", "--variant=minbase", SUITE, part, *mirrors[:1]])
    make_slim(part)
    part.rename(base)


def make_slim(root: Path) -> None:
    """Cut a Debian down, and have its dpkg leave out the same of what is installed later."""
    for name in SLIM:
        for path in (root / "usr/share" / name).rglob("*"):
            if path.name != "copyright" and not path.is_dir():
                path.unlink()
    (root / "etc/dpkg/dpkg.cfg.d/docker").write_text("\n".join(SLIM_RULES) + "\n")
    for name in ("var/lib/apt/lists", "var/cache/apt/archives"):
        shutil.rmtree(root / name)
        (root / name / "partial").mkdir(parents=True)
    for name in ("etc/hosts", "etc/resolv.conf", "etc/hostname"):  # of this machine; an engine has its own
        (root / name).write_text("")


# ---- build ----


def build(work: Path) -> None:
    """Carry out the Dockerfile; layers of an earlier call that nothing has changed are taken as they are."""
    layers = Layers(work)
    make_base(layers.base)
    lent = lend()
    for name in STAGES:
        build_stage(layers, name, lent)
    size = sum(int(call(["du", "--summarize", "--bytes", layer]).split()[0]) for layer in layers.of(""))
    say(f"image: {size / 1e9:.2f} GB")


def build_stage(layers: Layers, name: str, lent: Sequence[str]) -> None:
    """Carry out the steps of a stage whose layers aren't there yet."""
    every = layers.of(name)
    steps = making_layers(name)
    for number, (step, settings) in enumerate(steps, start=len(every) - len(steps)):
        if not every[number].exists():
            with timed(f"{step.word} {step.text:.70}"), layers.mount(every[:number], every[number]) as root:
                workdir = root / settings.workdir.lstrip("/")
                workdir.mkdir(parents=True, exist_ok=True)
                if step.word == "RUN":
                    run_step(step, root, settings, lent)
                elif step.options:
                    with layers.mount(layers.of(origin(step))) as other:
                        copy_from(step, other, root)
                else:
                    copy(step, workdir)


def making_layers(name: str) -> list[tuple[Step, Settings]]:
    """The steps of a stage that change files, each with the settings it is carried out with."""
    stage = STAGES[name]
    settings = settings_of(STAGES, stage.base) if stage.base in STAGES else Settings()
    found = []
    for step in stage.steps:
        settings = settings.after(step)
        if step.word in ("RUN", "COPY"):
            found.append((step, settings))
    return found


KERNEL = ("--proc", "/proc", "--dev", "/dev", "--die-with-parent", "--unshare-pid", "--unshare-ipc")


def variables(values: Mapping[str, str]) -> list[str]:
    """Options of bwrap that set environment variables."""
    return [word for name, value in values.items() for word in ("--setenv", name, value)]


def run_step(step: Step, root: Path, settings: Settings, lent: Sequence[str]) -> None:
    """RUN, in the root that the image is to have, with what is lent to it. Raises ValueError after a USER."""
    if settings.user != Settings().user:
        raise ValueError(f"RUN {step.text}: only root's steps are understood here")
    surroundings = ["--clearenv", *variables(settings.env), *lent, "--chdir", settings.workdir]
    command = ["bwrap", "--bind", str(root), "/", *KERNEL, *surroundings, "--cap-add", "ALL"]
    call([*command, "sh", "-c", step.text])


def copy_from(step: Step, other: Path, root: Path) -> None:
    """COPY, of a folder of another stage."""
    source, target = step.text.split()
    call(["cp", "--archive", other / source.lstrip("/"), root / target.lstrip("/")])


def copy(step: Step, workdir: Path) -> None:
    """COPY, of files into a folder, or of folders' contents, from the build context."""
    *sources, target = step.text.split()
    for path in context(sources):
        file = ROOT / path
        place = workdir / target / (file.name if path in sources else Path(*Path(path).parts[1:]))
        if file.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)


def context(sources: Sequence[str]) -> list[str]:
    """The paths in the build context that are below some sources, or they themselves."""
    rules = [ln for ln in (ROOT / ".dockerignore").read_text().splitlines() if ln and not ln.startswith("#")]
    paths = sorted(exclude_paths(str(ROOT), rules))
    found = [path for path in paths if any(Path(path).is_relative_to(source) for source in sources)]
    for source in sources:
        if not any(Path(path).is_relative_to(source) for path in found):
            raise FileNotFoundError(f"COPY {source}: .dockerignore leaves nothing of it")
    return found


def lend() -> list[str]:
    """Options of bwrap that hand this machine's settings of apt and pip in, below /run, which is no layer."""
    options = ["--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf"]
    if f"VERSION_CODENAME={SUITE}" in Path("/etc/os-release").read_text():
        for folder in ("/etc/apt", "/usr/share/keyrings"):
            options += ["--ro-bind", folder, folder]
    names = ("http_proxy", "https_proxy", "no_proxy")
    values = {k: v for k, v in os.environ.items() if k.lower() in names} | pip_variables()
    options += ["--tmpfs", "/run"]
    certificates = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    if Path(certificates).is_file():
        options += ["--ro-bind", certificates, "/run/certificates.crt"]
        values |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE"), "/run/certificates.crt")
    return [*options, *variables(values)]


def pip_variables() -> dict[str, str]:
    """The settings of this machine's pip as variables, but for those that name folders here."""
    values = {}
    for line in call([sys.executable, "-m", "pip", "config", "list"]).splitlines():
        name, _, value = line.partition("=")
        value = shlex.split(value)[0]
        if not any(word.startswith(("/", "file:")) for word in value.split()):
            values["PIP_" + name.rpartition(".")[2].upper().replace("-", "_")] = value
    return values


# ---- containers ----


class Machine:
    """Stands in for the engine: the image, volumes by name, and containers that share a network."""

    def __init__(self, image: Path, place: Path) -> None:
        self.image = image
        self.settings = settings_of(STAGES)
        self.volumes = place / "volumes"
        self.logs = place / "logs"
        self._hosts = place / "hosts"
        self.logs.mkdir(parents=True, exist_ok=True)

    def know(self, names: Sequence[str]) -> None:
        """Have containers find each other by these names."""
        self._hosts.write_text(f"127.0.0.1 localhost {' '.join(names)}\n")

    def command(
        self, name: str, arguments: Sequence[str], volumes: Mapping[str, str], env: Mapping[str, str]
    ) -> list[str]:
        """The command that starts a container. `volumes` has them by the place they are mounted at.

        Its first process is process 1, has no capabilities and can't gain any; all but the volumes and
        /tmp is read-only.
        """
        mounts = [word for place, volume in volumes.items() for word in self._mount(place, volume)]
        user, group = self.settings.user.split(":")
        return [
            "bwrap", "--ro-bind", str(self.image), "/", *KERNEL, "--as-pid-1",
            "--perms", "1777", "--tmpfs", "/tmp",  # noqa: S108
            "--ro-bind", str(self._hosts), "/etc/hosts", *mounts, "--unshare-uts", "--hostname", name,
            "--clearenv", *variables({**self.settings.env, **env}), "--setenv", "HOME", "/cache",
            "--chdir", self.settings.workdir, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID",
            "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--inh-caps=-all",
            "--ambient-caps=-all", *arguments,
        ]  # fmt: skip

    def _mount(self, place: str, volume: str) -> list[str]:
        name, _, mode = volume.partition(":")
        folder = Path(name) if name.startswith("/") else self.volumes / name
        if not folder.exists():  # a new volume is as the image's folder is
            folder.mkdir(parents=True)
            like = (self.image / place.lstrip("/")).stat()
            os.chown(folder, like.st_uid, like.st_gid)
            folder.chmod(like.st_mode & 0o7777)
        return ["--ro-bind" if mode == "ro" else "--bind", str(folder), place]


# ---- run ----


def run(work: Path) -> None:
    """The command and the cluster, against the same study outside."""
    layers = Layers(work)
    place = work / f"run-{layers.of('')[-1].name}"  # a call that was cut short goes on where it stopped
    outside = place / "outside"
    data = write_digits(place / "data")
    own = os.environ | {
        "XDG_CACHE_HOME": str(place / "cache"),
        "LARGEBATCH_DATA": str(data),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    command = [sys.executable, "-m", "largebatch"]
    with timed("study outside"):
        call([*command, "sweep", STUDY, "--out", outside, *HEAP], env=own)
    with layers.mount(layers.of("")) as image:
        machine = Machine(image, place)
        shared = {"/data": f"{data}:ro", "/srv": f"{ROOT / 'docker'}:ro"}
        run_alone(machine, shared)
        run_cluster(machine, shared)
    for name in ("alone", "cluster"):
        found = json.loads(call([*command, "compare", "--json", outside, machine.volumes / "runs" / name]))
        say(f"study {name} against outside: {'identical' if found['identical'] else 'DIFFERENT'}")
        if not found["identical"]:
            sys.exit(1)
    say(call([*command, "compare", outside, machine.volumes / "runs" / "cluster"]))


def write_digits(folder: Path) -> Path:
    """A small set of digits as IDX files."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, array in digits.make(train_rows=4000, test_rows=800).items():
        write_idx(folder / spellings(part)[0], array)
    return folder


def run_alone(machine: Machine, shared: Mapping[str, str]) -> None:
    """`doctor`, as the health check calls it, and the study in a single container."""
    machine.know(["alone"])
    settings = machine.settings
    volumes = {place: place.strip("/") for place in settings.volumes}
    rights = ["grep", "-E", "^(Uid|CapEff|NoNewPrivs)", "/proc/1/status"]
    say(call(machine.command("alone", rights, volumes, {})))
    with timed("doctor"):
        say(call(machine.command("alone", settings.healthcheck, volumes, {})))
    volumes |= shared
    sweep = ["sweep", "/srv/proof.toml", "--out", "/runs/alone", *HEAP]
    with timed("study alone"):
        call(machine.command("alone", [*settings.entrypoint, *sweep], volumes, {}))


def run_cluster(machine: Machine, shared: Mapping[str, str]) -> None:
    """The study on the cluster of compose.yaml, whose containers live until the driver has ended."""
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    names = {
        f"{name}-{number}": service
        for name, service in services.items()
        for number in range(1, service.get("deploy", {}).get("replicas", 1) + 1)
    }
    machine.know([*services, *names])
    with contextlib.ExitStack() as running, timed("study on the cluster"):
        for name, service in names.items():
            if service is not services["driver"]:
                running.enter_context(background(machine, name, service))
        driver = services["driver"]
        added = [f"{volume.removesuffix(':ro')}:{place}:ro" for place, volume in shared.items()]
        driver["volumes"] = [*driver["volumes"], *added]
        master = driver["command"][driver["command"].index("--master") + 1]
        sweep = ["sweep", "/srv/proof.toml", "--out", "/runs/cluster", *HEAP]
        driver["command"] = [*sweep, "--master", master]
        call(of_service(machine, "driver-1", driver))


def of_service(machine: Machine, name: str, service: Mapping[str, Any]) -> list[str]:
    """The command that starts a container of a service of compose.yaml."""
    volumes = {}
    for text in service.get("volumes", []):
        source, place, *mode = text.split(":")
        volumes[place] = ":".join([source, *mode])
    arguments = [*service.get("entrypoint", machine.settings.entrypoint), *service["command"]]
    return machine.command(name, arguments, volumes, service.get("environment", {}))


@contextlib.contextmanager
def background(machine: Machine, name: str, service: Mapping[str, Any]) -> Iterator[None]:
    """A container while the block runs; with its process 1, all others of it end."""
    with (machine.logs / f"{name}.txt").open("w") as log:
        process = subprocess.Popen(of_service(machine, name, service), stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            # The end of bwrap does not reach process 1, which has changed its user since.
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    {"build": build, "run": run}[sys.argv[1]](Path(sys.argv[2]))
