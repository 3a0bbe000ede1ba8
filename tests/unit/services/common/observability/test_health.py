from services.common.observability.health import Health
from tests.unit.services.common.clock import FakeClock


def test_a_service_is_alive_but_not_ready_at_first() -> None:
    health = Health()
    assert health.why_not_alive() is None
    assert health.why_not_ready() == "starting"


def test_a_ready_service_has_nothing_to_explain() -> None:
    health = Health()
    health.detail = "waiting for Kafka"
    assert health.why_not_ready() == "waiting for Kafka"
    health.ready = True
    assert health.why_not_ready() is None


def test_a_stuck_loop_is_neither_alive_nor_ready_until_it_beats_again() -> None:
    clock = FakeClock()
    health = Health(stale_after_s=60, clock_s=clock)
    health.ready = True
    clock.now_s += 59.9
    assert health.why_not_alive() is None
    clock.now_s += 15.1
    assert health.why_not_alive() == "the main loop has been stuck for 75 s (limit 60 s)"
    assert health.why_not_ready() == health.why_not_alive()
    health.beat()
    assert health.why_not_ready() is None
