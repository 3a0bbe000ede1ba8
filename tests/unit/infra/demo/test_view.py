from infra.demo.view import as_striking
from services.contracts.anomaly import Severity


def test_a_document_is_listed_with_its_first_label_and_its_time_in_utc() -> None:
    document = {
        "@timestamp": "2024-12-02T14:30:01.123456789Z",
        "symbol": "NVDA",
        "price": 138.25,
        "size": 100,
        "anomalies": ["Burst", "Z-Score"],
        "score": 0.75,
        "severity": "high",
        "message": "why",
        "trade_id": "t1",
    }
    striking = as_striking(document)
    assert striking.time == "2024-12-02 14:30:01.123 UTC"
    assert (striking.label, striking.symbol, striking.price, striking.size) == ("Burst", "NVDA", 138.25, 100)
    assert (striking.severity, striking.score, striking.message) == (Severity.HIGH, 0.75, "why")
