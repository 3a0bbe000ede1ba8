"""Waits for what the containers do."""

import time
from collections.abc import Callable

from services.common.errors import TapewatchError

STEP_TIMEOUT_S = 600.0
POLL_S = 0.5


def wait_until(is_so: Callable[[], bool], what: str, timeout_s: float = STEP_TIMEOUT_S) -> None:
    """Ask until the answer is yes.

    Raises
    ------
    TapewatchError
        It takes too long; says that `what` has not come.
    """
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline_s:
            raise TapewatchError(f"After {timeout_s:.0f} s still no {what}.", "Check the logs above.")
        time.sleep(POLL_S)
