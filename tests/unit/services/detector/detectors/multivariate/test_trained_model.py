"""A profile's model judges live as it was trained, whatever the batches, the restarts and the challenger."""

import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.detector.detectors.multivariate.trained_model import TrainedModelDetector
from services.detector.engine.engine import Engine
from services.detector.features.words import words_of
from services.detector.models.folder import read_stored
from services.detector.models.manifest import Alias
from services.detector.models.registry import ModelRegistry
from services.detector.models.sample import rows_of
from services.detector.models.windows import Windows
from services.detector.offline.features.extract import FeatureExtraction
from services.detector.offline.models.store import set_alias
from services.detector.profiles.profile import Profile, load_profile
from tests.unit.services.detector.streams import anomalies, batches, open_sessions, stream

pytestmark = pytest.mark.usefixtures("served_models")

SYMBOLS = ("AAA", "B@B", "CCC")
MODEL = {"model": "trades@champion", "alert_rarity": 1.5}
SHADOWED = MODEL | {"challenger": "trades@challenger"}


def profile(**parameters: object) -> Profile:
    own = {"trained_model": parameters or MODEL}
    return Profile.model_validate({"detectors": own, "symbols": {"CCC": {"trained_model": None}}})


def written(folder: Path, text: str) -> Path:
    path = folder / "profile.yaml"
    path.write_text(f"name: own\ndetectors:\n  trained_model: {text}\n")
    return path


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    random=st.randoms(use_true_random=True),
    cut_share=st.floats(0, 1),
    batch_trades=st.integers(1, 200),
    model=st.sampled_from(["trades@champion", "windows@champion"]),
    next_challenger=st.sampled_from([None, "trades@challenger", "windows@champion"]),
)
def test_batches_and_restarts_change_no_bit_of_the_results(
    random: Random, cut_share: float, batch_trades: int, model: str, next_challenger: str | None
) -> None:
    own = MODEL | {"model": model}
    trades = stream(random, SYMBOLS, days=2, trades=80, late_share=0.1)
    cut = round(cut_share * len(trades))
    undisturbed = Engine(profile(**own, challenger="trades@challenger"))
    expected = anomalies(undisturbed, trades, range(cut))
    states = [undisturbed.save(session) for session in open_sessions(undisturbed)]
    rest = anomalies(undisturbed, trades, range(cut, len(trades)))
    before = Engine(profile(**own))
    assert [
        found for places in batches(0, cut, batch_trades) for found in anomalies(before, trades, places)
    ] == expected
    engine = Engine(profile(**own, **({"challenger": next_challenger} if next_challenger else {})))
    for state in states:
        engine.restore(state)
    assert [
        found
        for places in batches(cut, len(trades), batch_trades)
        for found in anomalies(engine, trades, places)
    ] == rest
    if next_challenger == SHADOWED["challenger"]:
        for session in engine.take_changes().touched:
            assert engine.save(session).detectors == undisturbed.save(session).detectors


@pytest.mark.parametrize("name", ["trades", "windows"])
def test_what_it_says_is_what_the_stored_model_says_of_the_features(served_models: Path, name: str) -> None:
    trades = stream(Random(3), ("AAA",), days=1, trades=600, late_share=0.0)  # noqa: S311 - a seeded tape
    stored = read_stored(ModelRegistry(served_models).find(f"{name}@champion"))
    own = profile(**MODEL | {"model": f"{name}@champion"})
    extraction = FeatureExtraction(own)
    [values] = [one.values.astype(np.float32) for one in extraction.extract(trades)]
    windows = Windows(np.zeros(len(values), np.int64), np.ones(len(values), bool))
    rows = rows_of(values, stored.manifest.features)
    raw = stored.model.raw(windows.of(rows, np.arange(len(values)), stored.model.window))
    [flagged] = Engine(own).flag(trades)
    flags = flagged.flags["trained_model"]
    assert len(flags.at) > 10
    assert flags.value.tolist() == raw[flags.at].tolist()
    assert (flags.value >= flags.threshold).all()
    assert set(flags.expected) == {stored.manifest.scaling.ordinary.middle}
    digest = stored.manifest.digest
    for at in range(len(flags.at)):
        model = flags.models[at]
        assert (model.name, model.version, model.digest) == (name, digest[:12], digest)
        most = max(flags.contributions, key=lambda name: flags.contributions[name][at])
        assert f"mostly for {words_of(most)} (" in flags.reasons[at]


def test_the_digest_takes_the_place_of_the_alias(served_models: Path) -> None:
    digest = ModelRegistry(served_models).find("trades@champion").name
    own = profile().detectors.get("trained_model")
    assert own is not None
    assert own.model_dump()["model"] == f"trades@{digest}"
    assert profile(model=f"trades@{digest[:10]}", alert_rarity=1.5).hash == profile().hash


def test_a_promotion_is_another_profile_and_a_challenger_is_not(
    served_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(served_models, folder)
    monkeypatch.setenv("TAPEWATCH_MODELS", str(folder))
    before = profile()
    assert profile(**SHADOWED).hash == before.hash
    assert "challenger" not in profile(**SHADOWED).model_dump_json()
    registry = ModelRegistry(folder)
    set_alias(registry, "trades", Alias.CHAMPION, registry.find("trades@challenger").name)
    assert profile().hash != before.hash
    # A profile that is already read keeps its model, whatever becomes of the folder.
    shutil.rmtree(folder)
    assert Profile.model_validate(before.model_dump()).hash == before.hash
    with pytest.raises(TapewatchError, match="There is no model"):
        load_profile(written(tmp_path, "{model: trades@champion}"))
    with pytest.raises(TapewatchError, match="cannot be read"):
        load_profile(written(tmp_path, f"{{model: trades@{'0' * 64}}}"))


def test_a_symbols_own_parameters_keep_the_challenger() -> None:
    own = Profile.model_validate(
        {"detectors": {"trained_model": SHADOWED}, "symbols": {"AAA": {"trained_model": {"join_s": 3.0}}}}
    )
    parameters = own.for_symbol("AAA").get("trained_model")
    assert parameters is not None
    assert parameters.model_dump()["challenger"].startswith("trades@")


def test_a_challenger_is_counted_and_never_heard() -> None:
    trades = stream(Random(1), SYMBOLS, days=1, trades=300, late_share=0.0)  # noqa: S311 - a seeded tape
    alone, shadowed = Engine(profile()), Engine(profile(**SHADOWED))
    every = range(len(trades))
    assert anomalies(alone, trades, every) == anomalies(shadowed, trades, every)
    [tally] = shadowed.take_tallies()
    assert tally.judged == 600  # of the two symbols for which it runs
    assert tally.challenger
    assert min(tally.both + tally.model_only, tally.challenger_only) > 0
    assert tally.sampled.sum(axis=1).tolist() == [tally.sampled[0].sum()] * len(tally.features)
    assert shadowed.take_tallies() == []
    [tally] = alone.take_tallies()
    assert (tally.challenger, tally.both, tally.challenger_only) == ("", 0, 0)


def test_a_challenger_alone_is_counted_and_never_heard() -> None:
    trades = stream(Random(1), ("AAA",), days=1, trades=300, late_share=0.0)  # noqa: S311 - a seeded tape
    alone = profile(challenger="trades@challenger", alert_rarity=1.5)
    engine, beside = Engine(alone), Engine(profile(**SHADOWED))
    assert anomalies(engine, trades, range(len(trades))) == []
    anomalies(beside, trades, range(len(trades)))
    assert engine.take_remarks() == []
    [tally], [expected] = engine.take_tallies(), beside.take_tallies()
    assert (tally.model, tally.challenger, tally.judged) == ("", expected.challenger, 300)
    assert tally.challenger_only == expected.both + expected.challenger_only > 0
    assert tally.both == tally.model_only == 0
    assert tally.sampled.shape == tally.expected.shape == (len(tally.features), tally.expected.shape[1])


@pytest.mark.parametrize(("before", "after"), [("trades@challenger", None), (None, "trades@challenger")])
def test_a_challenger_alone_comes_and_goes_within_a_session(before: str | None, after: str | None) -> None:
    trades = stream(Random(1), ("AAA",), days=1, trades=100, late_share=0.0)  # noqa: S311 - a seeded tape
    first, second = Engine(profile(challenger=before)), Engine(profile(challenger=after))
    anomalies(first, trades, range(50))
    for session in open_sessions(first):
        second.restore(first.save(session))
    assert anomalies(second, trades, range(50, 100)) == []
    assert [tally.judged for tally in second.take_tallies()] == ([50] if after else [])


def test_without_a_model_it_says_so() -> None:
    engine = Engine(Profile.model_validate({"detectors": {"trained_model": {}}}))
    trades = stream(Random(1), ("AAA",), days=1, trades=50, late_share=0.0)  # noqa: S311 - a seeded tape
    assert anomalies(engine, trades, range(len(trades))) == []
    [remark] = engine.take_remarks()
    assert remark == "trained_model does not judge AAA: the profile names no model (`model: NAME@champion`)."
    for session in open_sessions(engine):
        assert engine.save(session).detectors["trained_model"] == b""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{model: nothing@champion}", "There is no model 'nothing' in "),
        ("{model: trades@99999999}", "No models fit 'trades@99999999'"),
        ("{model: trades@champion, challenger: trades@challenge}", "No models fit 'trades@challenge'"),
    ],
)
def test_a_model_that_is_not_there_is_refused_at_the_start(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(TapewatchError) as caught:
        load_profile(written(tmp_path, text))
    assert "line 3: detectors.trained_model." in caught.value.cause
    assert reason in caught.value.cause


def test_a_damaged_model_is_refused_at_the_start_with_the_reason(
    served_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(served_models, folder)
    monkeypatch.setenv("TAPEWATCH_MODELS", str(folder))
    file = ModelRegistry(folder).find("trades@champion") / "model.ubj"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(TapewatchError) as caught:
        load_profile(written(tmp_path, "{model: trades@champion}"))
    assert "is refused: its content has the digest" in caught.value.cause


def test_saved_states_that_are_damaged_are_refused() -> None:
    trades = stream(Random(1), ("AAA",), days=1, trades=50, late_share=0.0)  # noqa: S311 - a seeded tape
    engine = Engine(profile())
    anomalies(engine, trades, range(len(trades)))
    [session] = open_sessions(engine)
    state = engine.save(session)
    state.detectors[TrainedModelDetector.name] = state.detectors[TrainedModelDetector.name][:-8]
    with pytest.raises(ValueError, match="the saved state of trained_model cannot be read"):
        Engine(profile()).restore(state)
