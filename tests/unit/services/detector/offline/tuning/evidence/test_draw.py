import re
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.detector.offline.tuning.evidence.candidates import Candidate, Candidates, find_candidates
from services.detector.offline.tuning.evidence.changes import changes
from services.detector.offline.tuning.evidence.document import (
    ABOVE,
    FAR,
    NEAR,
    Evidence,
    evidence_folders,
    read_evidence,
    write_evidence,
)
from services.detector.offline.tuning.evidence.draw import draw
from services.detector.offline.tuning.evidence.findings import find
from services.detector.offline.tuning.run import Samples, run_tune
from services.detector.profiles.profile import Profile, load_profile
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day

DEFAULT = load_profile()


def candidates(beyond: list[float]) -> Candidates:
    some = [
        Candidate(f"t{number}", "NVDA", f"2026-03-02T15:00:00.{number:09}Z", x)
        for number, x in enumerate(beyond)
    ]
    return Candidates({"burst": some, "unusual_size": some[::2]}, {("NVDA", "2026-03-02"): 1000})


def drawn(found: Candidates, seed: int = 1, samples: int = 8, profile: Profile = DEFAULT) -> Evidence:
    return draw(found, DEFAULT, profile, seed, samples)


@given(st.lists(st.floats(-2, 3), max_size=60), st.integers(0, 9), st.integers(4, 40))
def test_each_part_is_drawn_from_its_own_side_of_the_line(
    beyond: list[float], seed: int, samples: int
) -> None:
    found = candidates(beyond)
    evidence = drawn(found, seed, samples)
    for threshold in evidence.thresholds:
        of_id = {one.trade_id: one.beyond for one in found.of_detector[threshold.detector]}
        parts = {stratum.name: stratum for stratum in threshold.strata}
        assert all(
            (of_id[one] >= 0) == (name == ABOVE) for name, part in parts.items() for one in part.trade_ids
        )
        assert sum(part.population for part in parts.values()) == len(of_id)
        near, far = ([of_id[one] for one in parts[name].trade_ids] for name in (NEAR, FAR))
        assert not (near and far) or min(near) >= max(far)
        for part in parts.values():
            assert len(part.trade_ids) == len(set(part.trade_ids)) <= min(part.population, samples)
    ids = {one for threshold in evidence.thresholds for part in threshold.strata for one in part.trade_ids}
    assert sorted(one.trade_id for one in evidence.prints) == sorted(ids)


def test_the_seed_decides_what_is_drawn_and_in_which_order() -> None:
    found = candidates([n / 100 - 1 for n in range(300)])

    def without_time(seed: int) -> Evidence:
        return msgspec.structs.replace(drawn(found, seed), made_at="")

    assert without_time(3) == without_time(3)
    assert without_time(3) != without_time(4)


def test_the_order_of_the_review_tells_nothing_of_the_line() -> None:
    evidence = drawn(candidates([n / 100 - 1 for n in range(300)]), samples=40)
    above = {
        one for t in evidence.thresholds for part in t.strata if part.name == ABOVE for one in part.trade_ids
    }
    sides = [one.trade_id in above for one in evidence.prints]
    assert sum(left != right for left, right in pairwise(sides)) > len(sides) // 4


def test_the_reviews_say_what_is_above_and_bound_what_is_below() -> None:
    evidence = drawn(candidates([0.5] * 100 + [-0.5] * 400), samples=40)
    ids = {part.name: part.trade_ids for part in evidence.thresholds[0].strata}
    judged = dict.fromkeys(ids[ABOVE][:18], True) | dict.fromkeys(
        [*ids[ABOVE][18:], *ids[NEAR], *ids[FAR]], False
    )
    finding = find(evidence, judged)[0]
    assert finding.share == pytest.approx(0.9)
    assert finding.share_between is not None
    assert finding.share_between[0] < 0.9 < finding.share_between[1]
    assert finding.most_missed is not None
    assert 0 < finding.most_missed < 200
    text = " ".join(finding.sentences())
    assert "Burst: 100 prints above the line, 100 per symbol and day." in text
    assert "Of 20 reviewed, 18 are anomalies: 90%" in text
    assert f"at most {finding.most_missed} of the 400 prints that are not flagged" in text
    assert "once in 316 trades, with 95% confidence" in text


def test_what_is_not_reviewed_yet_says_nothing() -> None:
    evidence = drawn(candidates([0.5] * 10 + [-0.5] * 40))
    finding = find(evidence, {})[0]
    assert (finding.share, finding.share_between, finding.most_missed) == (None, None, None)
    assert len(finding.sentences()) == 1


def test_changes_are_told_in_words() -> None:
    own = Profile.model_validate(
        DEFAULT.model_dump()
        | {
            "symbols": {
                "NVDA": {"burst": {"alert_rarity": 5.0, "threshold_prior": 2.9}, "unusual_size": None}
            },
            "suppress": [{"label": "Burst", "below_shares": 100}],
        }
    )
    found = changes(DEFAULT, own)
    alert = DEFAULT.detectors.model_dump()["burst"]["alert_rarity"]
    assert alert == 3.2
    assert (
        "NVDA: Burst flags what occurs once in 100,000 trades, not once in 1,600 trades: fewer alerts "
        "(level 3.2 to 5)."
    ) in found
    assert "NVDA: Burst starts from 1 other value each morning." in found
    assert "NVDA: Unusual Size no longer runs." in found
    assert "Lines that hold detections back: 0 before, 1 now." in found
    assert changes(own, own) == ["Nothing changed."]
    general = Profile.model_validate(
        DEFAULT.model_dump() | {"detectors": DEFAULT.detectors.model_dump() | {"high_volume": {}}}
    )
    assert changes(DEFAULT, general) == ["High Volume runs now."]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("day") / "day.csv"
    write_day(DayConfig(trades=8_000, symbols=2), file, file.with_name("labels.csv"))
    return str(file)


def test_prints_above_the_line_are_those_that_the_profile_flags(day: str) -> None:
    found = find_candidates(open_sources([day]), DEFAULT, lambda *_: None)
    assert sum(found.trades.values()) == 8_000
    assert len(found.trades) == 2
    for some in found.of_detector.values():
        assert any(one.beyond < 0 for one in some)
        assert len({one.trade_id for one in some}) == len(some)
    assert any(one.beyond >= 0 for some in found.of_detector.values() for one in some)


def test_tune_writes_samples_and_what_changed(
    day: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "march"
    output = tmp_path / "tuned.yaml"
    assert run_tune(open_sources([day]), 1.0, None, output, Samples(folder, seed=5, count=12)) == 0
    evidence = read_evidence(folder)
    assert evidence.profile == load_profile(output).hash
    assert evidence.before == DEFAULT.hash
    assert evidence.changes == changes(DEFAULT, load_profile(output))
    assert evidence.symbol_days == 2
    assert evidence.prints
    told = " ".join(capsys.readouterr().err.split())
    assert re.search(r"\d → \d", told)
    assert evidence.changes[0] in told
    assert evidence_folders(tmp_path) == ["march"]
    with pytest.raises(TapewatchError, match="is there already"):
        run_tune(open_sources([day]), 1.0, None, output, Samples(folder, seed=5, count=12))
    with pytest.raises(TapewatchError, match="is there already"):
        write_evidence(evidence, folder)


def test_a_file_that_is_no_evidence_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="cannot be read"):
        read_evidence(tmp_path)
    (tmp_path / "evidence.json").write_text('{"seed": 1}')
    with pytest.raises(TapewatchError, match="is no evidence") as error:
        read_evidence(tmp_path)
    assert "--evidence DIR" in error.value.hint
    assert evidence_folders(tmp_path) == ["."]
