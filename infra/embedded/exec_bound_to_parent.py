"""Becomes another program that the kernel kills when its parent ends. Linux only; run by `child_process`.

    python -I -S exec_bound_to_parent.py PARENT_PID PROGRAM [ARGUMENT…]

A program of its own, because code between fork and exec in a process with threads (what a `preexec_fn`
is) may deadlock, and newer Pythons warn of it. The kernel's promise outlives the exec.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

parent_pid = int(sys.argv[1])
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
    sys.exit(f"cannot bind to the parent process: {os.strerror(ctypes.get_errno())}")
if os.getppid() != parent_pid:
    sys.exit("the parent process has ended already")
# Python ignores these two, and an ignored signal stays ignored in the program that follows.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
