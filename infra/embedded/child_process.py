"""Starts child processes that cannot outlive this process and do not receive the terminal's Ctrl-C."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_BOUND_TO_PARENT = Path(__file__).with_name("exec_bound_to_parent.py")

# For the parent-death signal, the kernel counts the *thread* that started a child as its parent. The main
# thread lives as long as the process, and so does this one, which starts children on behalf of other threads.
_lasting_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="child-process-parent")


def start_child(
    args: Sequence[str],
    *,
    log_file: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program in a new session, with its output appended to a file.

    On Linux the kernel kills it (SIGKILL) as soon as this process ends, however that happens. On other
    systems a SIGKILL of this process leaves it running. In its own session it does not receive the
    terminal's Ctrl-C, so the parent can stop its children in the right order.

    Parameters
    ----------
    args
        The program, looked up on PATH if it is a bare name, and its arguments.
    log_file
        File its output is appended to; the file's folder must exist.
    env
        The child's whole environment; this process's environment by default.
    cwd
        The child's working folder; this process's working folder by default.

    Returns
    -------
    subprocess.Popen
        The running child, whose pid is the program's.

    Raises
    ------
    FileNotFoundError
        If the program is not found.
    """
    program = shutil.which(args[0])
    if program is None:
        raise FileNotFoundError(f"program not found: {args[0]}")
    command = [str(Path(program).absolute()), *args[1:]]
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", str(_BOUND_TO_PARENT), str(os.getpid()), *command]

    def start() -> "subprocess.Popen[bytes]":
        with log_file.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )

    if threading.current_thread() is threading.main_thread():
        return start()
    return _lasting_thread.submit(start).result()
