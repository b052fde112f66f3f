"""What users are told about a JVM that does not start, or ends: from what real ones said."""

from __future__ import annotations

from pathlib import Path

import pytest

from largebatch.engine.causes import cause_in, of_action, with_cause

RECORDED = Path(__file__).resolve().parents[2] / "recorded" / "jvm"
MORE = "raise --memory (now 6g)"
OPTIONS = "correct JAVA_TOOL_OPTIONS, or --conf spark.driver.extraJavaOptions"
SETTINGS = "see spark-defaults.conf and --conf"
CAUSES = {
    "agent": f"Java's options name an agent that can't be read, /nonexistent.jar: {OPTIONS}",
    "agent-library": f"Java's options name an agent that can't be read, /nonexistent.so: {OPTIONS}",
    "class-loader": f"Spark's settings name a class that is not there, org.example.Loader: {SETTINGS}",
    "crash": "native code crashed (SIGSEGV); the log names a file with details",
    "events": f"Spark's settings name a file or folder that is not there, /nonexistent/events: {SETTINGS}",
    "few-files": "too few files can be open at once: raise the limit (ulimit -n) to 1024",
    "file-of-options": "the launcher of Java could not open `/nonexistent': correct JDK_JAVA_OPTIONS",
    "heap": f"the JVM ran out of memory: {MORE} or lower --micro-batch",
    "heap-by-an-option": "-Xmx is among Spark's settings, but the heap is --memory: remove it "
    "(spark-defaults.conf, --conf)",
    "host-without-an-address": "nowhere.invalid is a name without an address: if it is this machine's, set "
    "SPARK_LOCAL_IP=127.0.0.1, or add the name to /etc/hosts",
    "java-that-is-gone": "Spark's spark-env.sh names a Java that is not there, /nonexistent/bin/java: "
    "correct it",
    "listener": f"Spark's settings name a class that is not there, org.example.Listener: {SETTINGS}",
    "metaspace": "Java's memory for classes is full, which the heap has no part in: raise "
    "-XX:MaxMetaspaceSize and -XX:CompressedClassSpaceSize, or the limit of ulimit -v",
    "module": "this Java lacks a part, java.beans.PropertyChangeEvent: install a complete Java 17",
    "working-directory": "the folder in which the command was called is gone: change to another",
    "no-bash": "Spark starts by a Bash script, and there is no bash: install it",
    "no-files": "Java can't read its own files: raise the limit of open files (ulimit -n), or install Java "
    "17 again",
    "number": "IllegalArgumentException: spark.memory.fraction should be between 0 and 1 (was '2.0').",
    "packages": "spark.jars.packages names a package that can't be got, org.example#none;1.0: correct "
    "--conf, or leave it out",
    "plugin": f"Spark's settings name a class that is not there, org.example.Plugin: {SETTINGS}",
    "serializer": f"Spark's settings name a class that is not there, org.example.S: {SETTINGS}",
    "spark-connect": "spark.remote in Spark's settings asks for Spark Connect, which has no JVM here: "
    "remove it from spark-defaults.conf",
    "start-heap": f"-Xms among Java's options is more than --memory: {OPTIONS}",
    "thread-stack": f"-Xss among Java's options is too small: {OPTIONS}",
    "threads": "the system gives the JVM no more threads: raise the limit of processes (ulimit -u, or the "
    "container's of pids)",
    "two-collectors": f"Java's options choose several garbage collectors: {OPTIONS}",
    "unknown-option": f"Java does not know the option --no-such-option: {OPTIONS}",
    "unknown-vm-option": f"Java does not know the option UseConcMarkSweepGC: {OPTIONS}",
    "value-of-an-option": f"Java can't use the option 'G1HeapRegionSize=3g': {OPTIONS}",
}


def output(name: str) -> list[str]:
    return (RECORDED / f"{name}.txt").read_text().splitlines()


@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_is_told_with_what_mends_it(name: str) -> None:
    assert cause_in(output(name), MORE) == CAUSES[name]


def test_all_that_is_recorded_is_told() -> None:
    assert sorted(path.stem for path in RECORDED.iterdir()) == sorted(CAUSES)
    assert len(CAUSES) >= 20


SYSTEM = "the system does not give the JVM the memory that it asks for: lower --memory, or raise the limit"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "Terminating due to java.lang.OutOfMemoryError: Java heap space",
            f"the JVM ran out of memory: {MORE}",
        ),
        ("java.lang.OutOfMemoryError: GC overhead limit exceeded", f"the JVM ran out of memory: {MORE}"),
        (
            "java.lang.OutOfMemoryError: Requested array size exceeds VM limit",
            "a matrix has more numbers than",
        ),
        ("java.lang.OutOfMemoryError: Compressed class space", "Java's memory for classes is full"),
        (
            "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory",
            "the system gives",
        ),
        (
            "Caused by: java.lang.OutOfMemoryError: Cannot reserve 16777216 bytes of direct buffer memory",
            f"the JVM's memory for buffers is full, which is as large as the heap at most: {MORE}",
        ),
        (
            "java.lang.OutOfMemoryError: Map failed",
            "the system maps no more files for the JVM: raise ulimit -v",
        ),
        ("Could not reserve enough space for 6291456KB object heap", SYSTEM),
        ("Could not reserve enough space for code cache (245760K)", SYSTEM),
        ("# There is insufficient memory for the Java Runtime Environment to continue.", SYSTEM),
        (
            "26/1/2 WARN TaskSetManager: Lost task 0.0 in stage 1.0 (TID 1) (10.0.0.1 executor 2): "
            "java.lang.OutOfMemoryError: Java heap space",
            "an executor ran out of memory: lower --micro-batch",
        ),
        (
            "26/1/2 WARN TaskSetManager: Lost task 0.0 in stage 1.0 (TID 1) (box executor driver): "
            "java.lang.OutOfMemoryError: Java heap space",
            f"the JVM ran out of memory: {MORE}",
        ),
        (
            "# C  [libopenblas.so.0+0x1b2c3d]  dgemm_kernel+0x1",
            "native code crashed in libopenblas.so.0: try --no-",
        ),
        ("java.io.IOException: No space left on device", "no space is left on a disk"),
        ("java.io.IOException: Disk quota exceeded", "the disk quota is used up"),
        (
            "Caused by: javax.security.auth.login.LoginException: a.B: invalid null input: name",
            "this user has a",
        ),
        (
            'Exception in thread "main" a.B: basedir must be absolute: ?/.ivy2/local',
            "this user has a number but no name, and Hadoop needs one",
        ),
        (
            "java.net.BindException: Cannot assign requested address: Service 'sparkDriver' failed after 16",
            "Spark can",
        ),
        (
            "Error: Could not find or load main class org.apache.spark.launcher.Main",
            "Spark is incomplete (org.",
        ),
        (
            "Failed to find Spark jars directory (/x/assembly/target/scala-2.12/jars).",
            "Spark is incomplete (/x/",
        ),
        (
            'Exception in thread "main" java.lang.UnsupportedClassVersionError: org/sysds/A has been',
            "the Java of the JVM is too old for org/sysds/A",
        ),
        (
            "Invalid ReservedCodeCacheSize: 1024K. Must be at least InitialCodeCacheSize=2496K.",
            "Java can't use the value of the option ReservedCodeCacheSize: correct JAVA_TOOL_OPTIONS",
        ),
        ("ERROR: JDWP Transport dt_socket failed to initialize, TRANSPORT_INIT(510)", "JDWP Transport dt_"),
        ("Error: Missing application resource.", "Missing application resource."),
        ("ModuleNotFoundError: No module named 'py4j'", "Python's package py4j is missing"),
        ("Caused by: a.b.C: some   reason", "C: some reason"),
    ],
)
def test_single_lines(line: str, told: str) -> None:
    found = cause_in(
        ["before", line, "\tat a.B.c(B.java:1)", "Error: Could not create the Java Virtual Machine."], MORE
    )
    assert found is not None
    assert found.startswith(told)


def test_the_last_cause_counts_and_one_that_is_known_most() -> None:
    known, other = "java.io.IOException: No space left on device", 'Exception in thread "main" a.B: more'
    assert str(cause_in([known, "Caused by: a.B: less", other], MORE)).startswith("no space is left")
    assert cause_in(["Caused by: a.B: less", other], MORE) == "B: more"
    assert cause_in(["26/11/26 WARN NativeCodeLoader: Unable to load native-hadoop library"], MORE) is None


@pytest.mark.parametrize(
    "answer",
    [
        "FileNotFoundException: /x/_p6_127.0.0.1/cache/cache021.dat (No such file or directory)",
        "DMLRuntimeException: /x/_p6_127.0.0.1//cache/cache021.dat : Restore failed.",
    ],
)
def test_a_matrix_that_systemds_has_lost_is_told_with_what_mends_it(answer: str) -> None:
    assert of_action(answer, MORE) == f"memory was so short that SystemDS lost a matrix: {MORE}"
    assert of_action("DMLScriptException: on purpose", MORE) == "DMLScriptException: on purpose"


def test_a_process_that_was_killed_did_not_die_of_what_it_said_before() -> None:
    assert with_cause("the JVM died (signal 9)", output("plugin"), MORE).startswith(
        "the JVM died (signal 9), as when memory runs out"
    )
    assert with_cause("the JVM did not start", output("thread-stack"), MORE) == (
        f"the JVM did not start: {CAUSES['thread-stack']}"
    )
    assert with_cause("the JVM died", ["nothing of note"], MORE) == "the JVM died"
