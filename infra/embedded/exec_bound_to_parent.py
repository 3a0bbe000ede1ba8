"""Replaces itself with a program that the kernel kills when its parent ends. Linux only; see `child_process`.

    python -I -S exec_bound_to_parent.py PARENT_PID PROGRAM [ARGUMENT…]

It is a separate program because code that runs between fork and exec in a process with threads (a
`preexec_fn`) may deadlock, and newer Pythons warn about it. The setting survives the exec.
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
    sys.exit("the parent process has already ended")
# Python ignores these two signals, and an ignored signal stays ignored after exec.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
