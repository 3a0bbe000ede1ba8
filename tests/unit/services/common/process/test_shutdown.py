import signal
import threading

import pytest

from services.common.process.shutdown import GRACE_S, Stop

SOON_S = 5.0


def test_a_requested_stop_ends_the_wait() -> None:
    stop = Stop(on_signals=False)
    assert not stop.wait(0.0)
    asking = threading.Timer(0.05, stop.request)
    asking.start()
    assert stop.wait(SOON_S)
    asking.join()
    assert stop.requested
    assert stop.signal is None


def test_a_stop_is_overdue_when_its_grace_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    stop = Stop(on_signals=False)
    now_s += 2 * GRACE_S
    assert not stop.grace_expired  # nobody has asked for it
    stop.request()
    assert not stop.grace_expired
    now_s += GRACE_S
    assert stop.grace_expired


def test_a_stop_without_signals_leaves_them_to_the_process() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    Stop(on_signals=False)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
