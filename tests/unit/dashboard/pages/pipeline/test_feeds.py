from dashboard.pages.pipeline.feeds import age, to_event_table


def test_events_are_laid_out_for_people() -> None:
    gap = {
        "@timestamp": "2026-11-29T10:03:12.000001Z",
        "venue": "coinbase",
        "event": "gap_filled",
        "symbol": "BTC-USD",
        "from": 1011,
        "to": 1019,
        "count": 9,
    }
    lost = {
        "@timestamp": "2026-11-29T10:03:12Z",
        "venue": "alpaca:iex",
        "event": "gap_lost",
        "symbol": None,
        "from": "2026-11-29T10:03:10.123456789Z",
        "reason": "history has aged out",
    }
    first, second = to_event_table([gap, lost]).to_dict("records")
    assert (first["Event"], first["From"], first["To"], first["Prints"]) == (
        "gap filled",
        "1,011",
        "1,019",
        "9",
    )
    assert (second["Symbol"], second["From"], second["To"]) == ("all", "10:03:10.123", "")
    assert second["Why"] == "history has aged out"


def test_no_event_makes_an_empty_table() -> None:
    assert to_event_table([]).empty


def test_ages_are_in_units_that_people_read() -> None:
    assert [age(one) for one in (None, -0.2, 0.44, 119.0, 7000.0, 90_000.0, 200_000.0)] == [
        *("none", "0.0 s", "0.4 s", "119.0 s", "116 min", "25 h", "2 d"),
    ]
