from pathlib import Path

import msgspec
import orjson
import pytest

from services.common.errors import TapewatchError
from services.contracts.profile_record import ProfileRecord
from services.contracts.topics import PROFILE_MAX_BYTES
from services.detector.live.profile_message import profile_message
from services.detector.offline.reproduce.documents import anomaly_in, read_profile
from services.detector.profiles.profile import BUILT_IN, Profile, load_profile

OWN = """
name: own
base: default
detectors:
  high_volume: {threshold_shares: 20000}
  burst: null
symbols:
  NVDA:
    off_market_price: {alert_rarity: 4.25}
    usual_day: {moments: 90000, shares: 31000000}
suppress:
  - {label: Off-Market Price, below_bp: 2}
calendar:
  - {name: CPI, from: "2026-03-02 08:30", to: "2026-03-02 08:35", at_most: low}
"""


def stored(profile: Profile) -> ProfileRecord:
    message = profile_message(profile)
    assert message is not None
    return msgspec.json.decode(message, type=ProfileRecord)


@pytest.fixture
def own(tmp_path: Path) -> Profile:
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    return load_profile(path)


def test_a_stored_profile_is_the_profile(own: Profile) -> None:
    for profile in (own, *map(load_profile, BUILT_IN)):
        record = stored(profile)
        assert record.profile == profile.hash
        again = read_profile(msgspec.to_builtins(record))
        assert again == profile
        assert again.hash == profile.hash
    assert read_profile(msgspec.to_builtins(stored(own))).for_symbol("NVDA").get("burst") is None


def test_a_stored_profile_whose_files_are_elsewhere_asks_for_them(tmp_path: Path) -> None:
    (tmp_path / "listings.csv").write_text("symbol,tier,previous_close\nNVDA,1,138.25\n")
    path = tmp_path / "rulebook.yaml"
    path.write_text("name: rulebook\nbase: default\ndetectors:\n  luld_band: {listings: listings.csv}\n")
    record = stored(load_profile(path))
    with pytest.raises(TapewatchError, match="cannot be used here") as error:
        read_profile(msgspec.to_builtins(record))
    assert "--profile FILE" in error.value.hint


def test_a_profile_that_means_something_else_here_is_rejected(own: Profile) -> None:
    fields = msgspec.to_builtins(stored(own)) | {"profile": "0123456789ab", "version": "0.0.7"}
    with pytest.raises(TapewatchError, match=r"written by Tapewatch 0\.0\.7"):
        read_profile(fields)


def test_a_profile_that_is_too_long_is_not_stored(own: Profile) -> None:
    many = {f"S{number}": {"burst": {"alert_rarity": 4.0}} for number in range(PROFILE_MAX_BYTES // 30)}
    assert profile_message(own.model_copy(update={"symbols": many})) is None


def test_a_line_that_is_no_anomaly_is_named(tmp_path: Path) -> None:
    file = tmp_path / "anomalies.ndjson"
    file.write_bytes(orjson.dumps({"trade_id": "a"}) + b"\nb is broken\n")
    assert anomaly_in(file, "a") == {"trade_id": "a"}
    assert anomaly_in(file, "c") is None
    with pytest.raises(TapewatchError, match=r"anomalies\.ndjson, line 2 is no anomaly"):
        anomaly_in(file, "b")
    with pytest.raises(TapewatchError, match="cannot be read"):
        anomaly_in(tmp_path / "nowhere", "a")
