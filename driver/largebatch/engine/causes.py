"""What the output of a JVM says about its end, in words for the user. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

NOT_STARTED, DIED = "the JVM did not start", "the JVM died"  # answers whose cause is in the output
OUT_OF_MEMORY = "java.lang.OutOfMemoryError"
KILLED = "(signal 9)"
# Of a failed action. SystemDS drops what it has not stored: see dml/layers/dense.dml.
_LOST_MATRIX = re.compile(r"/cache/cache\d+\.dat(?: \(No such file| : Restore failed)")
_OPTIONS = "correct JAVA_TOOL_OPTIONS, or --conf spark.driver.extraJavaOptions"
_SYSTEM_MEMORY = (
    "the system does not give the JVM the memory that it asks for: lower --memory, or raise the limit "
    "(ulimit -v, or the container's)"
)
_REINSTALL = "install largebatch again, with its dependencies"

# Lines that tell the cause, and what the user is told: {0} is the pattern's group, {more} is how to give the
# driver's JVM more memory.
_KNOWN: tuple[tuple[str, str], ...] = (
    # memory
    (
        r"Lost task .* executor (?!driver\b)\w+\).*OutOfMemoryError",
        "an executor ran out of memory: lower --micro-batch, or give executors more memory",
    ),
    (
        r"OutOfMemoryError: (?:Java heap space|GC overhead limit exceeded)",
        "the JVM ran out of memory: {more} or lower --micro-batch",
    ),
    (
        r"OutOfMemoryError: Requested array size exceeds VM limit",
        "a matrix has more numbers than an array of Java can hold: lower --micro-batch",
    ),
    (
        r"OutOfMemoryError: (?:Metaspace|Compressed class space)",
        "Java's memory for classes is full, which the heap has no part in: raise -XX:MaxMetaspaceSize and "
        "-XX:CompressedClassSpaceSize, or the limit of ulimit -v",
    ),
    (
        r"unable to create (?:new )?native thread|pthread_create failed|Resource temporarily unavailable",
        "the system gives the JVM no more threads: raise the limit of processes (ulimit -u, or the "
        "container's of pids)",
    ),
    (
        r"OutOfMemoryError: (?:Direct buffer memory|Cannot reserve .* direct buffer memory)",
        "the JVM's memory for buffers is full, which is as large as the heap at most: {more}",
    ),
    (
        r"OutOfMemoryError: Map failed|java\.io\.IOException: Map failed",
        "the system maps no more files for the JVM: raise ulimit -v, or vm.max_map_count",
    ),
    (
        r"insufficient memory for the Java Runtime|os::commit_memory.*failed"
        r"|Native memory allocation .* failed|Cannot allocate memory"
        r"|Not enough space|Could not reserve enough space"
        r"|Could not (?:allocate|reserve) .*(?:metaspace|class)"
        r"|Unable to allocate (?:bit map|\d+ bytes)|Failed to (?:allocate|reserve) (?:initial|memory|space)",
        _SYSTEM_MEMORY,
    ),
    # the machine
    (
        # Not where the name stands once: log4j tells that, and goes on.
        r"^Caused by: java\.net\.UnknownHostException: ([^\s:]+): \1: |^UnknownHostException: ([^\s:]+)",
        "{0} is a name without an address: if it is this machine's, set SPARK_LOCAL_IP=127.0.0.1, or add the "
        "name to /etc/hosts",
    ),
    (
        r"Service '\w+' failed after \d+ retries|Cannot assign requested address",
        "Spark can't listen at the driver's address: set SPARK_LOCAL_IP to an address of this machine",
    ),
    (
        r"invalid null input: name|basedir must be absolute: \?",
        "this user has a number but no name, and Hadoop needs one: add a line for the user to /etc/passwd",
    ),
    (
        r"Too many open files",
        "too few files can be open at once: raise the limit (ulimit -n) to 1024",
    ),
    (
        r"Error loading java\.security file",
        "Java can't read its own files: raise the limit of open files (ulimit -n), or install Java 17 again",
    ),
    (r"File too large", "files may not become large enough: raise the limit (ulimit -f)"),
    (r"No space left on device", "no space is left on a disk: free some, or set TMPDIR to another"),
    (r"Disk quota exceeded", "the disk quota is used up: free some space, or set TMPDIR to another disk"),
    (r"Read-only file system", "a folder is read-only: set TMPDIR to one that can be written"),
    (
        r"failed to map segment from shared object",
        "native libraries can't be loaded from the folder of temporary files: set TMPDIR to one that is not "
        "mounted noexec",
    ),
    (
        r"Failed to create (?:a temp directory|local (?:root )?dir)",
        "the folder of temporary files can't be written: set TMPDIR to another",
    ),
    (
        r"Could not determine current working directory",
        "the folder in which the command was called is gone: change to another",
    ),
    (r"env: .?bash.?: No such file", "Spark starts by a Bash script, and there is no bash: install it"),
    # Java and its options
    (
        r"stack size specified is too small",
        f"-Xss among Java's options is too small: {_OPTIONS}",
    ),
    (r"(could not open `\S+')", "the launcher of Java {0}: correct JDK_JAVA_OPTIONS"),
    (r"Unrecognized (?:VM )?option:? '?([^'\s]+)", f"Java does not know the option {{0}}: {_OPTIONS}"),
    (r"(?:Invalid|Improperly specified) .*?(-X\S+|'\S+')", f"Java can't use the option {{0}}: {_OPTIONS}"),
    (r"^Invalid (\w+): \d", f"Java can't use the value of the option {{0}}: {_OPTIONS}"),
    (
        r"Initial heap size set to a larger value than the maximum heap size",
        f"-Xms among Java's options is more than --memory: {_OPTIONS}",
    ),
    (
        r"Multiple garbage collectors selected|Conflicting collector combinations",
        f"Java's options choose several garbage collectors: {_OPTIONS}",
    ),
    (
        r"Error opening zip file or JAR manifest missing *: *(\S+)|Could not find agent library (\S+)",
        f"Java's options name an agent that can't be read, {{0}}: {_OPTIONS}",
    ),
    (
        r"Module ([\w.]+) not found|(?:NoClassDefFoundError|ClassNotFoundException): (javax?[./][\w./$]+)",
        "this Java lacks a part, {0}: install a complete Java 17",
    ),
    (
        r"(/\S+/java): No such file or directory",
        "Spark's spark-env.sh names a Java that is not there, {0}: correct it",
    ),
    (
        r"Not allowed to specify max heap",
        "-Xmx is among Spark's settings, but the heap is --memory: remove it (spark-defaults.conf, --conf)",
    ),
    (
        r"UnsupportedClassVersionError: ([\w/.$]+)",
        "the Java of the JVM is too old for {0}: set JAVA_HOME to Java 17, also in Spark's spark-env.sh",
    ),
    (r"System memory \d+ must be at least", "an option makes the heap smaller than --memory: remove -Xmx"),
    (r"# +(SIG\w+) \(0x\w+\) at pc=", "native code crashed ({0}); the log names a file with details"),
    (
        r"^# C +\[(lib(?:openblas|systemds|gomp)[^\]+]*)",
        "native code crashed in {0}: try --no-native-blas",
    ),
    # Spark and its settings
    (
        r"Failed to find Spark jars directory \((\S+)\)|Could not find or load main class (\S+)",
        f"Spark is incomplete ({{0}} is missing): {_REINSTALL}",
    ),
    (
        r"ClassNotFoundException: (?!javax?\.)([\w.$]+)",
        "Spark's settings name a class that is not there, {0}: see spark-defaults.conf and --conf",
    ),
    (
        r"\[?unresolved dependency: ([^\]:]+)",
        "spark.jars.packages names a package that can't be got, {0}: correct --conf, or leave it out",
    ),
    (
        r"FileNotFoundException: (?:File )?(?:file:)?(\S+) does not exist",
        "Spark's settings name a file or folder that is not there, {0}: see spark-defaults.conf and --conf",
    ),
    (
        r"Remote cannot be specified with master",
        "spark.remote in Spark's settings asks for Spark Connect, which has no JVM here: remove it from "
        "spark-defaults.conf",
    ),
    (r"ModuleNotFoundError: No module named '([\w.]+)'", f"Python's package {{0}} is missing: {_REINSTALL}"),
)
# Other lines that begin a Java stack, a complaint of `java` or Bash, or end a Python traceback.
_OTHER = (
    r'Exception in thread "[^"]*" (?:[\w$]+\.)*(.+)',
    r"Caused by: (?:[\w$]+\.)*(.+)",
    r"ERROR: (.+)",
    r"Error: (?!Could not create the Java|A fatal exception|A JNI error)(.+)",
    r"/\S+: line \d+: (?!CMD: bad array subscript)(.+)",
    r"(?:\w+\.)*([A-Z]\w*(?:Error|Exception): .+)",
)


def with_cause(what: str, lines: Iterable[str], more: str) -> str:
    """What happened to a process, and the cause that its output names."""
    if what.endswith(KILLED):  # what it wrote before has no part in it
        return f"{what}, as when memory runs out, or the CPU time that ulimit -t allows"
    cause = cause_in(lines, more)
    return f"{what}: {cause}" if cause else what


def of_action(answer: str, more: str) -> str:
    """What a failed action answered, or what that means."""
    if _LOST_MATRIX.search(answer):
        return f"memory was so short that SystemDS lost a matrix: {more}"
    return answer


def cause_in(lines: Iterable[str], more: str) -> str | None:
    """The last of the lines that names a cause, in words for the user; None if there is none.

    A cause that is known by heart, with what mends it, comes before any other. `more` says how to give the
    driver's JVM more memory.
    """
    known = other = None
    for line in lines:
        known = _known(line, more) or known
        other = _other(line) or other
    return known or other


def _known(line: str, more: str) -> str | None:
    for pattern, told in _KNOWN:
        found = re.search(pattern, line)
        if found:
            name = next((group for group in found.groups() if group), "")
            return told.format(name, more=more)
    return None


def _other(line: str) -> str | None:
    found = next((match for pattern in _OTHER if (match := re.match(pattern, line))), None)
    return " ".join(found[1].split()) if found else None
