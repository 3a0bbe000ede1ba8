from infra.doctor.feeds import check_feed
from infra.embedded.ports import free_port
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig


def test_a_venue_that_lets_us_in_is_well() -> None:
    with StandInProcess("coinbase", TapeConfig(("BTC-USD",))) as standin:
        found = check_feed("coinbase", f"ws://127.0.0.1:{standin.port}")
    assert (found.hint, found.subject) == ("", "Feed coinbase")
    assert "lets BTC-USD be watched" in found.finding


def test_a_venue_that_refuses_is_quoted_with_what_to_do() -> None:
    with StandInProcess("coinbase", TapeConfig(("ETH-USD",))) as standin:
        found = check_feed("coinbase", f"ws://127.0.0.1:{standin.port}")
    assert "BTC-USD is not a valid product" in found.finding
    assert found.hint


def test_a_venue_that_is_away_is_named_with_its_address() -> None:
    address = f"ws://127.0.0.1:{free_port()}"
    found = check_feed("coinbase", address)
    assert found.finding.startswith(f"{address} cannot be reached")
    assert found.hint


def test_an_unknown_venue_is_told_the_known_ones() -> None:
    assert "coinbase" in check_feed("bourse").hint
