import pytest

from services.detector.live.homes import SymbolHomes


def test_symbols_that_stay_in_their_partition_are_fine(capsys: pytest.CaptureFixture[str]) -> None:
    homes = SymbolHomes()
    homes.add(1, {"AAA": True, "BBB": True})
    homes.add(2, {"CCC": True})
    homes.add(1, {"AAA": True})  # assigned once more
    assert capsys.readouterr().out == ""


def test_a_symbol_without_its_key_and_one_in_two_partitions_are_warned_of_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    homes = SymbolHomes()
    homes.add(1, {"AAA": False})
    homes.add(2, {"AAA": True, "BBB": False})
    out = capsys.readouterr().out
    assert out.count("may be judged apart") == 1
    assert "trades of AAA in partition 1" in out


def test_both_partitions_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    homes = SymbolHomes()
    homes.add(1, {"AAA": True})
    homes.add(4, {"AAA": True})
    assert "trades of AAA in partitions 1 and 4" in capsys.readouterr().out
