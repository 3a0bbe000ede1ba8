from dashboard.pages.pipeline.models import MOST_DRIFTED, ModelHealth, models_health, to_table
from services.common.observability.samples import to_samples
from tests.docs import surface

ONE = """
tapewatch_model_judged_trades_total{model="trades@ab",challenger="trades@cd"} 1000.0
tapewatch_model_flagged_trades_total{model="trades@ab",challenger="trades@cd",by="both"} 6.0
tapewatch_model_flagged_trades_total{model="trades@ab",challenger="trades@cd",by="model"} 1.0
tapewatch_model_flagged_trades_total{model="trades@ab",challenger="trades@cd",by="challenger"} 1.0
tapewatch_feature_drift{model="trades@ab",feature="gap_s"} 0.1
tapewatch_feature_drift{model="trades@ab",feature="return_1"} 0.3
"""
ALONE = """
tapewatch_model_judged_trades_total{model="",challenger="trades@cd"} 9.0
tapewatch_model_flagged_trades_total{model="",challenger="trades@cd",by="challenger"} 4.0
tapewatch_feature_drift{model="trades@cd",feature="gap_s"} 0.2
"""
OTHER = """
tapewatch_model_judged_trades_total{model="trades@ab",challenger="trades@cd"} 500.0
tapewatch_model_judged_trades_total{model="trades@ef",challenger=""} 7.0
tapewatch_model_flagged_trades_total{model="trades@ef",challenger="",by="model"} 2.0
tapewatch_feature_drift{model="trades@ab",feature="gap_s"} 0.4
"""


def test_models_are_counted_over_all_detectors_and_drift_is_the_highest() -> None:
    assert models_health([to_samples(ONE), to_samples(OTHER)]) == [
        ModelHealth("trades@ab", "trades@cd", 1500, 6, 1, 1, (("gap_s", 0.4), ("return_1", 0.3))),
        ModelHealth("trades@ef", "", 7, 0, 2, 0, ()),
    ]
    assert models_health([to_samples("tapewatch_lag_messages 1\n")]) == []


def test_agreement_is_of_what_either_flags_and_a_lonely_model_has_none() -> None:
    table = to_table(models_health([to_samples(ONE), to_samples(OTHER)]))
    assert table["Agreement"].tolist() == ["75%", ""]
    assert table["Challenger"].tolist() == ["trades@cd", "none"]
    assert table["Drift"].tolist() == ["gap_s 0.40, return_1 0.30", ""]


def test_a_challenger_alone_has_its_own_drift_and_no_agreement() -> None:
    [found] = models_health([to_samples(ALONE)])
    assert found == ModelHealth("", "trades@cd", 9, 0, 0, 4, (("gap_s", 0.2),))
    assert found.agreement is None
    [shown] = to_table([found]).to_dict("records")
    assert (shown["Model"], shown["Both flag"], shown["Model only"], shown["Challenger only"]) == (
        "none", "", "", "4"
    )  # fmt: skip


def test_only_the_features_that_moved_most_are_shown() -> None:
    drift = "".join(
        f'tapewatch_feature_drift{{model="trades@ab",feature="f{number}"}} 0.{number}\n'
        for number in range(9)
    )
    [model] = models_health([to_samples(ONE + drift)])
    assert len(model.drift) == MOST_DRIFTED
    assert model.drift[0] == ("f8", 0.8)


def test_what_is_read_is_what_the_detector_serves() -> None:
    assert {*to_samples(ONE)} <= surface.metrics().keys()
