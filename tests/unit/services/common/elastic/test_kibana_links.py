import datetime as dt
from urllib.parse import unquote

from services.common.elastic.kibana_links import discover_url, kql_string, rison

NOON = dt.datetime(2026, 3, 2, 12, 0, 0, 250_000, dt.UTC)


def test_the_link_opens_discover_at_the_anomaly() -> None:
    url = discover_url("http://kibana:5601/s/desk", "2-1-20260302-7", NOON)
    assert unquote(url) == (
        "http://kibana:5601/s/desk/app/discover#/"
        "?_g=(time:(from:'2026-03-02T11:59:59.250Z',to:'2026-03-02T12:00:01.250Z'))"
        "&_a=(columns:!('severity','score','symbol','anomalies','message','price','size'),"
        "index:'tapewatch-anomalies',query:(language:'kuery',query:'trade_id:\"2-1-20260302-7\"'))"
    )


def test_an_id_cannot_leave_its_place() -> None:
    evil = "x\" or *'!)&_a=#\\"
    url = discover_url("http://kibana:5601", evil, NOON)
    assert url.count("#") == 1
    assert url.count("&") == 1
    assert kql_string(evil) == '"x\\" or *\'!)&_a=#\\\\"'
    assert rison(evil) == "'x\" or *!'!!)&_a=#\\'"
    assert unquote(url).endswith("query:'trade_id:\"x\\\" or *!'!!)&_a=#\\\\\"'))")
