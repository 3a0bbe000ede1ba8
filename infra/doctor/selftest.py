"""What `tapewatch doctor` says of the selftest of detectors on this machine."""

import http.client
import time

from infra.doctor.checks import Diagnosis
from services.common.observability.samples import Samples, to_samples
from services.common.observability.selftest import SelftestHealth, selftest_health
from services.contracts.components import DETECTOR, PORT_STEP, PORTS_TRIED

TIMEOUT_S = 2.0
SUBJECT = "Selftest"


def check_selftest() -> Diagnosis:
    """Ask the detectors at their usual ports on this machine."""
    ports = [DETECTOR.metrics_port + PORT_STEP * number for number in range(PORTS_TRIED)]
    found = [samples for port in ports if (samples := _samples(port))]
    return judge_selftest(selftest_health(found), time.time())


def judge_selftest(health: SelftestHealth | None, now_s: float) -> Diagnosis:
    """Judge what running detectors say; None: there is none, or it does not test itself."""
    if health is None:
        return Diagnosis(SUBJECT, "no detector on this machine tests itself now")
    if health.stalled_partitions:
        return Diagnosis(
            SUBJECT,
            f"nobody works off {health.stalled_partitions} of the partitions of trades",
            "Check that detectors run, and their log.",
        )
    if health.failing:
        return Diagnosis(
            SUBJECT,
            f"fails: {', '.join(health.failing)}",
            "The detector's log says why; `tapewatch selftest --profile …` tries the profile by itself.",
        )
    if health.is_late(now_s):
        return Diagnosis(SUBJECT, "no round has ended for half an hour", "Check the detector's log.")
    fired = [test for test in health.tests if test.fired_s is not None]
    if not fired:
        return Diagnosis(SUBJECT, "nothing planted yet")
    newest = max(fired, key=lambda test: test.fired_s or 0.0)
    return Diagnosis(SUBJECT, f"{len(fired)} labels have fired; {newest.sentence(now_s)}")


def _samples(port: int) -> Samples | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        return to_samples(connection.getresponse().read().decode())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
