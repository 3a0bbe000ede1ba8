from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.detector.detectors.checks import session_trades
from services.detector.detectors.rulebook.listings import Listing, _rows
from services.detector.detectors.rulebook.luld_band import LuldBandParameters
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Profile, load_profile
from services.detector.profiles.write import profile_text

HEADER = "symbol,tier,previous_close,day\n"


def profile(folder: Path, rows: str, header: str = HEADER) -> Profile:
    (folder / "listings.csv").write_text(header + rows)
    file = folder / "desk.yaml"
    file.write_text("detectors:\n  luld_band:\n    listings: listings.csv\n")
    return load_profile(file)


def listing(of: Profile, symbol: str, day: str) -> Listing | None:
    parameters = of.for_symbol(symbol).get("luld_band")
    assert isinstance(parameters, LuldBandParameters)
    assert parameters.listings is not None
    return parameters.listings.find(symbol, day)


def test_a_row_of_the_day_comes_before_one_for_any_day(tmp_path: Path) -> None:
    of = profile(tmp_path, "NVDA,1,140.2,\nNVDA,1,138.25,2024-12-02\nTINY,2,0.6,2024-12-02\n")
    assert listing(of, "NVDA", "2024-12-02") == Listing(1, 138.25)
    assert listing(of, "NVDA", "2024-12-03") == Listing(1, 140.2)
    assert listing(of, "TINY", "2024-12-02") == Listing(2, 0.6)
    assert listing(of, "TINY", "2024-12-03") is None


def test_the_day_may_be_missing_and_other_columns_are_left_alone(tmp_path: Path) -> None:
    of = profile(tmp_path, "NVIDIA,NVDA,1,140.2\n", "name,symbol,tier,previous_close\n")
    assert listing(of, "NVDA", "2024-12-02") == Listing(1, 140.2)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("NVDA,1,140\nAAPL,3,230\n", "listings.csv, line 3: the tier of AAPL is '3', not 1 or 2"),
        ("NVDA,1,14O\n", "listings.csv, line 2: the previous close of NVDA is '14O', not a price above 0"),
        ("NVDA,1,-1\n", "line 2: the previous close of NVDA is '-1'"),
        ("NVDA,1,nan\n", "line 2: the previous close of NVDA is 'nan'"),
        (",1,140\n", "line 2: no symbol"),
        ("NVDA,1\n", "line 2: the previous close of NVDA is ''"),
        ("NVDA,1,140,2.12.2024\n", "line 2: the day of NVDA is '2.12.2024'"),
        ("NVDA,1,140\nAAPL,1,230\nNVDA,1,141\n", "line 4: NVDA is there already, in line 2"),
        ("NVDA,1,140,2024-12-02\nNVDA,1,141,2024-12-02\n", "line 3: NVDA on 2024-12-02 is there already"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, rows: str, fault: str) -> None:
    with pytest.raises(TapewatchError) as error:
        profile(tmp_path, rows)
    assert fault in str(error.value)
    assert "line 3: detectors.luld_band.listings" in str(error.value)


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match=r"line 1: no column previous_close; the header is symbol,tier"):
        profile(tmp_path, "NVDA,1\n", "symbol,tier\n")
    (tmp_path / "lost.yaml").write_text("detectors: {luld_band: {listings: lost.csv}}\n")
    with pytest.raises(TapewatchError, match=r"lost.csv cannot be read: No such file"):
        load_profile(tmp_path / "lost.yaml")


def test_the_profiles_hash_is_that_of_the_content_wherever_it_is(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    one, same, other = (
        profile(folder, rows).hash
        for folder, rows in zip(folders, ["NVDA,1,140\n", "NVDA,1,140\n", "NVDA,1,141\n"], strict=True)
    )
    assert one == same != other


def test_a_profile_that_is_written_reads_the_same_listings(tmp_path: Path) -> None:
    of = profile(tmp_path, "NVDA,1,140\n")
    written = tmp_path / "written.yaml"
    written.write_text(profile_text(of.model_copy(update={"symbols": {"NVDA": {}}}), None, [], {}))
    assert listing(load_profile(written), "NVDA", "2024-12-02") == Listing(1, 140.0)
    (tmp_path / "listings.csv").write_text(HEADER + "NVDA,2,140\n")
    _rows.cache_clear()  # as in another process
    with pytest.raises(TapewatchError, match="has changed since"):
        load_profile(written)


def test_symbols_that_are_not_judged_are_named_once(tmp_path: Path) -> None:
    engine = Engine(profile(tmp_path, "NVDA,1,140\n"))
    for symbol in ("NVDA", "AAA", "B@B"):
        for day in (0, 1):
            engine.detect_columns(session_trades(symbol, day, 3, 0))
    assert engine.take_remarks() == [
        "luld_band does not judge AAA, B@B: the profile has no tier and no previous close for it, "
        "nor has a file of `listings`."
    ]
    assert engine.take_remarks() == []
