from services.detector.offline.evaluation.detection import Finding, alert_scores, credit_stretches


def finding(score: float, last: str = "") -> Finding:
    return Finding(score, "medium", "Burst", "burst_intensity", last)


def test_an_anomaly_counts_once_for_each_event_in_its_stretch() -> None:
    findings = [None, finding(0.7, "6"), None, None, None, finding(0.6), None, None, finding(0.9, "9"), None]
    events = {3: 0, 4: 0, 6: 1}
    scores = alert_scores(credit_stretches(findings, events))
    assert scores.tolist() == [0.0, 0.0, 0.0, 0.7, 0.0, 0.6, 0.7, 0.0, 0.9, 0.0]


def test_an_anomaly_without_a_stretch_counts_where_it_is() -> None:
    findings = [finding(0.6), None, finding(0.8), finding(0.7, "3")]
    assert credit_stretches(findings, {2: 0, 3: 0}) == [
        finding(0.6),
        None,
        finding(0.8),
        finding(0.7, "3"),
    ]
