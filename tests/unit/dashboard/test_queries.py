import time

import pandas as pd
import pytest

from dashboard.queries import find_sessions, open_client, to_anomaly_rows, to_buckets, together
from infra.embedded.ports import free_port
from services.common.errors import TapewatchError
from tests.unit.dashboard.answers import OPEN, anomaly, bucket


def test_buckets_have_a_column_for_each_side_whichever_traded() -> None:
    frame = to_buckets([bucket(0, {"A": 7}), bucket(2, {"B": 5, "N": 1})], 60)
    assert frame[["buys", "sells", "no_side"]].to_numpy().tolist() == [[0, 7, 0], [5, 0, 1]]
    assert frame["start"][0] == pd.Timestamp(OPEN)
    assert (frame["end"] - frame["start"]).dt.total_seconds().tolist() == [60, 60]


def test_calls_made_together_answer_in_their_order() -> None:
    assert together(lambda: time.sleep(0.05) or "slow", lambda: "fast") == ["slow", "fast"]


def test_a_call_that_fails_is_told() -> None:
    def fail() -> None:
        raise TapewatchError("It is away.", "Start it.")

    with pytest.raises(TapewatchError, match="It is away"):
        together(lambda: 1, fail)


def test_no_buckets_make_an_empty_frame_with_all_columns() -> None:
    frame = to_buckets([], 60)
    assert frame.empty
    assert frame[["trades", "low", "high", "last", "buys", "sells", "no_side"]].to_numpy().sum() == 0


def test_an_anomaly_is_shown_as_its_strongest_detection() -> None:
    rows = to_anomaly_rows([anomaly("1"), anomaly("2", detections=[])])
    assert rows["label"].tolist() == ["Z-Score", "High Volume"]
    assert rows["time"][0].nanosecond == 1


def test_no_anomalies_make_an_empty_frame_with_times() -> None:
    assert to_anomaly_rows([])["time"].dt.tz is not None


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(TapewatchError, match="is not a URL") as caught:
        open_client("elastic")
    assert "TAPEWATCH_ELASTICSEARCH" in caught.value.mend


def test_a_server_that_is_away_is_told_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TapewatchError, match=f"Nothing answers at {url}") as caught:
        find_sessions(open_client(url))
    assert "tapewatch stack" in caught.value.mend
