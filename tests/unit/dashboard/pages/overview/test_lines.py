from dashboard.pages.overview.incidents import Incident
from dashboard.pages.overview.lines import alerts_html, anomalies_html, chips_html, incidents_html
from dashboard.pages.overview.state import View
from dashboard.server.anomaly_rows import to_anomaly_rows
from services.review.corrections import VenueCorrection
from tests.alerts import ALERT, changed
from tests.unit.dashboard.answers import OPEN, anomaly

EVIL = "<img src=x onerror=alert(1)>"


def test_an_anomaly_is_a_link_with_its_whole_sentence_as_text() -> None:
    rows = to_anomaly_rows([anomaly("7/&", symbol=EVIL, message=EVIL * 5)])
    html = anomalies_html(rows, {}, with_day=False)
    assert 'href="anomaly?id=7%2F%26"' in html
    assert "<img" not in html
    assert html.count("&lt;img src=x") == 6
    assert "14:31:00 UTC" in html


def test_what_the_venue_took_back_is_said() -> None:
    rows = to_anomaly_rows([anomaly("7"), anomaly("8")])
    html = anomalies_html(rows, {"7": VenueCorrection("7", "cancel", OPEN)}, with_day=False)
    assert html.count("cancelled 14:30:00 by the venue") == 1


def test_an_alert_is_a_link_to_its_page() -> None:
    alert = changed(ALERT, symbol=EVIL, message=EVIL)
    html = alerts_html([alert])
    assert f'href="alerts?id={alert.alert_id}"' in html
    assert "<img" not in html


def test_an_incident_names_its_symbols_and_leads_to_its_minutes() -> None:
    first_ns = int(OPEN.timestamp() * 1e9) + 59_900_000_000
    symbols = (EVIL, *"BCDEFGHIJ")
    html = incidents_html([Incident(first_ns, first_ns + 250_000_000, symbols, 12, "high")], View(), True)
    assert "12 anomalies within 0.250 s: &lt;img" in html
    assert "and 2 more." in html
    assert "from=2026-03-02T14%3A30Z&amp;to=2026-03-02T14%3A32Z" in html
    assert "02 Mar 14:30:59 UTC" in html


def test_counts_have_the_most_urgent_first_and_no_zeros() -> None:
    html = chips_html({"low": 1200, "critical": 1, "high": 0})
    assert html.index("1 critical") < html.index("1,200 low")
    assert "high" not in html
