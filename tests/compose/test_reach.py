from tests.compose.reach import PORTS, REACHES, judge_instances, judge_reach
from tests.compose.test_compose_file import REACHED


def test_the_file_gives_each_service_the_reach_that_is_tried() -> None:
    for service, wanted in REACHES.items():
        assert {one for one in PORTS if set(REACHED[one]) & set(REACHED[service])} == wanted


def test_a_server_too_many_or_too_few_is_reported() -> None:
    assert judge_reach("detector", {"redpanda"}, {"redpanda"}) == []
    (violation,) = judge_reach("detector", {"redpanda"}, {"elasticsearch"})
    assert violation.examples == ("reaches elasticsearch", "does not reach redpanda")


def test_each_instance_counts_once_and_only_if_it_works() -> None:
    found = [("detector", "172.18.0.2:9102", "working"), ("detector", "172.18.0.3:9102", "working")]
    assert judge_instances(found, {"detector": 2}) == []
    stuck = ("detector", "172.18.0.4:9102", "stuck")
    for wrong in (found[:1] * 2, [*found[:1], stuck], []):
        (violation,) = judge_instances(wrong, {"detector": 2})
        assert " of 2 instances work: " in violation.examples[0]
