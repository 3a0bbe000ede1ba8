from dashboard.server.anomaly_rows import to_anomaly_rows
from tests.unit.dashboard.answers import anomaly


def test_an_anomaly_is_shown_as_its_strongest_detection() -> None:
    rows = to_anomaly_rows([anomaly("1"), anomaly("2", detections=[])])
    assert rows["label"].tolist() == ["Z-Score", "High Volume"]
    assert rows["time"][0].nanosecond == 1


def test_no_anomalies_give_an_empty_frame_with_times() -> None:
    assert to_anomaly_rows([])["time"].dt.tz is not None
