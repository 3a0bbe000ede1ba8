"""docs/models.md says of serving what the code does."""

from pathlib import Path

import pytest

from services.detector.detectors.multivariate.trained_model import TOLD, WORDED, TrainedModelParameters
from services.detector.features.state import STATE
from services.detector.models.folder import MOST_MODEL_BYTES
from services.detector.profiles.profile import load_profile
from tests.docs.pages import ROOT, blocks
from tests.reviewers import MISTAKEN_SHARE

TEXT = (ROOT / "docs" / "models.md").read_text()
SERVING = TEXT.partition("\n## Serving\n")[2].partition("\n## ")[0]


@pytest.mark.usefixtures("served_models")
def test_the_loop_begins_with_a_challenger_alone_and_ends_with_a_champion(tmp_path: Path) -> None:
    loop = TEXT.partition("\n## The loop\n")[2].partition("\n## ")[0]
    found = []
    for shown in blocks(loop, "yaml"):
        (tmp_path / "shown.yaml").write_text(shown)
        own = load_profile(tmp_path / "shown.yaml").detectors.get("trained_model")
        assert isinstance(own, TrainedModelParameters)
        assert own.alert_rarity == 3
        found.append((own.model is None, own.challenger is None))
    assert found == [(True, False), (False, True)]
    assert "**The reviewers are simulated**" in loop
    assert f"one of {1 / MISTAKEN_SHARE:.0f} mistaken".replace("20", "twenty") in loop


@pytest.mark.usefixtures("served_models")
def test_the_profile_shown_is_one(tmp_path: Path) -> None:
    shown = SERVING.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "shown.yaml").write_text(shown)
    found = load_profile(tmp_path / "shown.yaml").detectors.get("trained_model")
    assert isinstance(found, TrainedModelParameters)
    assert found.model != found.challenger


def test_no_built_in_profile_names_a_model() -> None:
    assert load_profile().detectors.get("trained_model") is None
    assert "**No built-in profile runs one**" in TEXT


def test_its_numbers_are_those_of_the_code() -> None:
    own = TrainedModelParameters()
    words = {3: "three", 5: "five"}
    assert f"names the {words[WORDED]} features that add most" in SERVING
    assert f"`contributions` has the shares of {words[TOLD]}" in SERVING
    assert f"once in {10**own.alert_rarity:,.0f} (`alert_rarity`)" in SERVING
    assert own.join_s == 1.0
    assert "flags within a second (`join_s`)" in SERVING
    assert f"saves {STATE.itemsize / 1000:.0f} kB more for each session" in SERVING
    assert f"larger than {MOST_MODEL_BYTES // 1024**2} MB" in TEXT
