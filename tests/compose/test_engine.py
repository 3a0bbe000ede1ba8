import sys

import pytest

from services.common.errors import TapewatchError
from tests.compose.engine import Container, Done, run, succeeded


def inspected(**state: object) -> dict[str, object]:
    return {
        "Name": "/tapewatch-test-detector-2",
        "State": {"Status": "running", "ExitCode": 0, "Pid": 4711, "StartedAt": "2026-03-02T14:30:00Z"}
        | state,
        "RestartCount": 1,
        "Args": ["--speed", "60"],
        "Config": {"Env": ["A=b"], "Labels": {"com.docker.compose.service": "detector"}},
        "HostConfig": {"ReadonlyRootfs": True},
        "NetworkSettings": {
            "Networks": {"brokers": {"IPAddress": "172.18.0.2"}, "store": {"IPAddress": ""}},
        },
    }


def test_a_container_is_read_from_what_the_engine_says() -> None:
    one = Container.of(inspected(Health={"Status": "healthy"}))
    assert (one.name, one.service) == ("tapewatch-test-detector-2", "detector")
    assert one.is_well
    assert (one.restarts, one.pid, one.is_read_only) == (1, 4711, True)
    assert one.addresses == ("172.18.0.2",)
    assert all(text in one.settings for text in ("A=b", "--speed"))


@pytest.mark.parametrize(
    "state", [{}, {"Health": {"Status": "starting"}}, {"Status": "paused", "Health": {"Status": "healthy"}}]
)
def test_a_container_without_a_good_check_is_not_well(state: dict[str, object]) -> None:
    assert not Container.of(inspected(**state)).is_well


def test_a_program_that_fails_is_an_error_with_its_last_lines() -> None:
    done = run([sys.executable, "-c", "print('good'); raise SystemExit('bad')"])
    assert done == Done(1, "good\n", "bad\n")
    assert done.said == "good\nbad\n"
    with pytest.raises(TapewatchError, match=r"it failed \(1\):\ngood\nbad"):
        succeeded(done, "it")
    assert succeeded(run([sys.executable, "-c", "print('good')"]), "it") == "good\n"
