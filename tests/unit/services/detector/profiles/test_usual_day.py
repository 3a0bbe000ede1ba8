"""`usual_day` in a profile's file."""

from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.detector.profiles.profile import Profile, load_profile
from services.detector.profiles.write import profile_text

OWN = """\
usual_day:
  by_quarter_hour: {09:30: 0.6, 10:30: 0.4}
symbols:
  BUSY:
    usual_day: {moments: 5_000, shares: 2000000, by_quarter_hour: {"15:45": 1}}
  THIN:
    usual_day: {moments: 50}
    unusual_size: {alert_rarity: 3.6}
  NEW:
    usual_day: null
"""


def read(folder: Path, text: str) -> Profile:
    file = folder / "own.yaml"
    file.write_text(text)
    return load_profile(file)


def test_a_symbols_own_goes_before_that_of_all(tmp_path: Path) -> None:
    profile = read(tmp_path, OWN)
    busy, thin, other = (profile.usual_day_of(symbol) for symbol in ("BUSY", "THIN", "ELSE"))
    assert busy is not None
    assert thin is not None
    assert other is not None
    assert (busy.moments, busy.shares, busy.by_quarter_hour) == (5_000, 2_000_000, {"15:45": 1})
    assert (thin.moments, thin.by_quarter_hour) == (50, {"09:30": 0.6, "10:30": 0.4})
    assert (other.moments, other.by_quarter_hour) == (None, {"09:30": 0.6, "10:30": 0.4})
    assert profile.usual_day_of("NEW") is None
    assert profile.for_symbol("THIN").model_dump()["unusual_size"]["alert_rarity"] == 3.6
    assert load_profile().usual_day_of("BUSY") is None


def test_it_is_part_of_the_hash_and_profiles_without_it_keep_theirs(tmp_path: Path) -> None:
    curve, symbols = OWN.split("symbols:")
    texts = ("usual_day: null\n", curve, curve.replace("0.4", "0.3"), f"symbols:{symbols}", OWN)
    hashes = [read(tmp_path, f"name: default\n{text}").hash for text in texts]
    assert hashes[0] == load_profile().hash
    assert len(set(hashes)) == len(hashes)


def test_a_profile_that_is_written_keeps_it_an_hour_on_each_line(tmp_path: Path) -> None:
    profile = read(tmp_path, OWN)
    text = profile_text(profile, None, [], {})
    assert '  by_quarter_hour: {\n    "09:30": 0.6,\n    "10:30": 0.4}\n' in text
    assert read(tmp_path, text).hash == profile.hash


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("usual_day: {moments: -1}\n", "line 1: usual_day.moments: Input should be greater than 0"),
        ("name: x\nusual_day: {trades: 5}\n", "line 2: usual_day.trades: no such name is known here"),
        ("usual_day: 5\n", "line 1: usual_day: write names and values, such as"),
        (
            "usual_day:\n  by_quarter_hour: {09:35: 1}\n",
            "line 2: usual_day.by_quarter_hour: '09:35' is no quarter of an hour: write 09:30",
        ),
        (
            "usual_day:\n  by_quarter_hour: [0.1]\n",
            "line 2: usual_day.by_quarter_hour: write names",
        ),
        (
            "usual_day:\n  by_quarter_hour: {09:30: x}\n",
            "line 2: usual_day.by_quarter_hour.09:30: Input",
        ),
        (
            "symbols:\n  ON:\n    usual_day:\n      shares: many\n",
            "line 4: symbols.ON.usual_day.shares: Input should be a valid number",
        ),
        ("symbols:\n  ON:\n    usual_day: 5\n", "line 3: symbols.ON.usual_day: write names and values"),
        (
            "symbols:\n  ON:\n    usual_days: {shares: 5}\n",
            "unknown detector; did you mean usual_day?",
        ),
        (
            "detectors:\n  usual_day: {shares: 5}\n",
            "line 2: detectors.usual_day: not a detector: move it",
        ),
    ],
)
def test_a_wrong_one_is_named_with_its_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(TapewatchError) as error:
        read(tmp_path, text)
    assert fault in str(error.value)
