from pathlib import Path

from services.detector.offline.tuning.profile_choice import configuration, profile_names, profile_of
from services.detector.profiles.profile import Profile, load_profile


def test_the_configuration_is_a_profile_and_keeps_other_symbols(tmp_path: Path) -> None:
    before = Profile.model_validate(
        {"symbols": {"BBB": {"burst": None}, "NO": {"unusual_size": {"alert_rarity": 3.7}}}}
    )
    before = before.model_copy(update={"detectors": load_profile("default").detectors})
    chosen: dict[str, dict[str, float] | None] = {
        "high_volume": {"threshold_shares": 12_345},
        "z_score": None,
        "burst": None,
        "unusual_size": {"alert_rarity": 3.9},
        "price_history_forest": {"contamination": 0.003},
    }
    path = tmp_path / "tuned.yaml"
    path.write_text(configuration(before, "default", "NO", chosen, ["For <b>NO</b>\nnot: [yaml"]))
    after = load_profile(path)
    own = after.for_symbol("NO").model_dump()
    assert own["high_volume"]["threshold_shares"] == 12_345
    assert own["unusual_size"]["alert_rarity"] == 3.9
    assert own["price_history_forest"] is not None
    assert (own["z_score"], own["burst"]) == (None, None)
    assert after.for_symbol("BBB") == before.for_symbol("BBB")
    assert after.for_symbol("CCC") == before.for_symbol("CCC")


def test_profiles_are_the_built_in_ones_and_files_that_look_like_one(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ndetectors:\n  high_volume: {}\n")
    (tmp_path / "compose.yml").write_text("services:\n  detector: {}\n")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.yaml").mkdir()
    assert profile_names(tmp_path) == ["default", "classic", "crypto", "stock_anomaly", "mine.yaml"]


def test_a_profile_is_found_by_its_hash_among_them(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ndetectors:\n  high_volume: {}\n")
    (tmp_path / "broken.yaml").write_text("detectors:\n  no_such: {}\n")
    mine = load_profile(tmp_path / "mine.yaml")
    assert profile_of(mine.hash, tmp_path) == mine
    assert profile_of(load_profile("crypto").hash, tmp_path) == load_profile("crypto")
    assert profile_of("0123456789ab", tmp_path) is None
