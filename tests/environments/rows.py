"""The surroundings. In variables, prefixes and files, {home} is the folder of the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOBODY = (
    "setpriv", "--reuid", "12345", "--clear-groups",
    # An interpreter in root's home must be found all the same.
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
)  # fmt: skip
WORKS = ""


@dataclass(frozen=True)
class Row:
    """A kind of surroundings, and what comes of the commands there.

    kind, name   what the table calls it
    variables    of the environment; None takes one away
    prefix       what the commands are called by
    files        to be there, by their paths
    more         arguments of `train`
    train        a pattern of the sentence with which `train` ends; without one it works
    doctor       the same for the line of `doctor` that fails
    pause        which processes of `train` are stopped for longer than the stall time
    locale       a locale to be made, which the system may lack
    """

    kind: str
    name: str
    variables: Mapping[str, str | None] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ()
    train: str = WORKS
    doctor: str = WORKS
    pause: str = ""
    locale: str = ""


def locale(name: str, **more: str) -> Row:
    return Row("locale", f"`LC_ALL={name}`", {"LC_ALL": name, "LOCPATH": "{home}/locales"}, locale=name)


def variables(kind: str = "variable", train: str = WORKS, doctor: str = WORKS, **values: str) -> Row:
    shown = " ".join(f"{name}={value}" for name, value in values.items()).replace("{home}", "/x")
    return Row(kind, f"`{shown}`", values, train=train, doctor=doctor)


def limited(option: str, train: str, doctor: str) -> Row:
    prefix = ("bash", "-c", f'ulimit {option}; exec "$@"', "bash")
    return Row("limit", f"`ulimit {option}`", {}, prefix, train=train, doctor=doctor)


def defaults(line: str, train: str = WORKS, doctor: str = WORKS) -> Row:
    files = {"conf/spark-defaults.conf": f"{line}\n"}
    where = {"SPARK_CONF_DIR": "{home}/conf"}
    return Row("spark-defaults.conf", f"`{line}`", where, files=files, train=train, doctor=doctor)


def matplotlibrc(text: str) -> Row:
    name = text.strip().replace("\n", "; ")
    return Row("matplotlibrc", f"`{name}`", {"MATPLOTLIBRC": "{home}/rc"}, files={"rc": text})


UNKNOWN_OPTION = r"Java does not know the option"
NO_AGENT = r"Java's options name an agent that can't be read, /nonexistent\.jar"
LIBRARIES = "pyspark/java_gateway.py"

ROWS = (
    Row("-", "nothing special"),
    # ---- locales ----
    locale("tr_TR.UTF-8"),
    locale("az_AZ.UTF-8"),
    locale("de_DE.ISO-8859-1"),
    Row("locale", "`LC_ALL=C`, `--out josé/x`", {"LC_ALL": "C"}, more=("--out", "{home}/josé/x")),
    Row("locale", "`LC_ALL=de_DE.ISO-8859-1`, `--out josé/x`",
        {"LC_ALL": "de_DE.ISO-8859-1", "LOCPATH": "{home}/locales"},
        more=("--out", "{home}/josé/x"), locale="de_DE.ISO-8859-1"),
    variables("locale", LC_ALL="xx_XX.UTF-8"),
    variables("locale", JAVA_TOOL_OPTIONS="-Duser.language=tr"),
    # ---- notebooks, other Sparks ----
    variables("notebook", MPLBACKEND="module://matplotlib_inline.backend_inline"),
    variables("notebook", PYSPARK_GATEWAY_PORT="4711", PYSPARK_GATEWAY_SECRET="left over"),  # noqa: S106
    variables("notebook", PYSPARK_SUBMIT_ARGS="--driver-memory 300m pyspark-shell"),
    variables("another Spark", SPARK_HOME="/nonexistent"),
    Row("another Spark", "`SPARK_HOME=/x/spark`, of Scala 2.13", {"SPARK_HOME": "{home}/spark"},
        files={"spark/jars/spark-core_2.13-4.0.0.jar": "", "spark/conf/spark-env.sh": ""}),
    Row("another Spark", "`PYTHONPATH=/x/spark/python`", {"PYTHONPATH": "{home}/python:{path}"},
        files={"python/pyspark/__init__.py": "raise ImportError\n", f"python/{LIBRARIES}": ""}),
    variables("another Spark", SPARK_REMOTE="sc://host:15002"),
    variables("another Spark", SPARK_LOCAL_DIRS="/nonexistent"),
    variables("another Spark", SPARK_LOCAL_IP="192.0.2.1"),
    defaults("spark.submit.deployMode cluster"),
    defaults("spark.jars.packages org.example:none:1.0"),
    defaults("spark.master yarn"),
    defaults("spark.remote sc://host", r"asks for Spark Connect", r"asks for Spark Connect"),
    defaults("spark.plugins org.example.P", r"is not there, org\.example\.P", r"org\.example\.P"),
    defaults("spark.eventLog.enabled true", r"a file or folder that is not there, /tmp/spark-events",
             r"not there, /tmp/spark-events"),
    # ---- Java ----
    variables("Java", _JAVA_OPTIONS="-Xmx100m"),
    variables("Java", _JAVA_OPTIONS="--no-such-option"),
    variables("Java", JAVA_TOOL_OPTIONS="-Xmx100m"),
    variables("Java", UNKNOWN_OPTION, UNKNOWN_OPTION, JAVA_TOOL_OPTIONS="--no-such-option"),
    variables("Java", UNKNOWN_OPTION, UNKNOWN_OPTION, JAVA_TOOL_OPTIONS="-XX:+UseConcMarkSweepGC"),
    variables("Java", NO_AGENT, NO_AGENT, JAVA_TOOL_OPTIONS="-javaagent:/nonexistent.jar"),
    variables("Java", r"JDK_JAVA_OPTIONS|/nonexistent", r"/nonexistent", JDK_JAVA_OPTIONS="@/nonexistent"),
    variables("Java", JAVA_HOME="/nonexistent"),
    variables("Java", CLASSPATH="/nonexistent.jar"),
    # ---- Python, Bash, matplotlib ----
    variables("Python", PYTHONWARNINGS="error"),
    variables("Python", PYTHONIOENCODING="ascii"),
    variables("Python", PYTHONOPTIMIZE="2"),
    Row("Bash", "`BASH_ENV` names a script that ends Bash", {"BASH_ENV": "{home}/rc"},
        files={"rc": "exit 1\n"}),
    variables("Bash", SHELLOPTS="errexit:nounset"),
    matplotlibrc("text.usetex: True\n"),
    matplotlibrc("font.size: 20\nsavefig.bbox: tight\n"),
    variables("matplotlib", MPLBACKEND="none of them"),
    # ---- limits ----
    limited("-n 128", r"raise the limit of open files \(ulimit -n\)", r"\(ulimit -n\)"),
    limited("-n 256", r"too few files can be open", r"too few files can be open"),
    limited("-v 3000000", r"Java 17 is needed, but .* does not give", r"does not give"),
    Row("limit", "`ulimit -u 40`, an ordinary user", {"HOME": None, "XDG_CACHE_HOME": None},
        (*NOBODY, "bash", "-c", 'ulimit -u 40; exec "$@"', "bash"), train=r"threads", doctor=r"threads"),
    # ---- users, hosts, terminals ----
    Row("user", "a number without a name, `env -u HOME`", {"HOME": None, "XDG_CACHE_HOME": None}, NOBODY),
    Row("user", "a number without a name, `HOME=/`", {"HOME": "/", "XDG_CACHE_HOME": None}, NOBODY),
    Row("host", "a name without an address", {},
        ("unshare", "--uts", "bash", "-c", 'hostname x.invalid; exec "$@"', "bash")),
    Row("terminal", "no standard input, `TERM` unset, `COLUMNS=20`", {"TERM": None, "COLUMNS": "20"},
        ("bash", "-c", 'exec "$@" <&-', "bash")),
    # ---- pauses ----
    Row("pause", "all processes stopped for longer than the stall time, then continued", pause="all"),
    Row("pause", "the driver stopped for longer than the stall time, then continued", pause="driver"),
    Row("pause", "the JVM stopped", pause="JVM", train=r"stalled: no sign of life for \d+ s"),
)  # fmt: skip
