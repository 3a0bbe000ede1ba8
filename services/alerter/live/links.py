"""Where an alert's worst anomaly can be looked at."""

import datetime as dt
from urllib.parse import quote

from services.alerter.live.settings import AlerterSettings
from services.common.elastic.kibana_links import discover_url
from services.contracts.alert import Print


def links_to(trade: Print, settings: AlerterSettings) -> dict[str, str]:
    """Return the addresses of an anomaly's views, by the place's name; empty where none is known."""
    links = {}
    if settings.dashboard_url:
        links["dashboard"] = f"{settings.dashboard_url}/anomaly?id={quote(trade.trade_id, safe='')}"
    if settings.kibana:
        time = dt.datetime.fromisoformat(trade.time)
        links["kibana"] = discover_url(settings.kibana, trade.trade_id, time)
    return links
