"""All of Kibana's objects, and what tells one version of them from another."""

import hashlib
import json

from infra.kibana.content.alerts import ALERTS, alerts
from infra.kibana.content.anomalies import ANOMALIES, anomalies
from infra.kibana.content.data_views import data_views, page
from infra.kibana.content.market import MARKET, market
from infra.kibana.content.pipeline import PIPELINE, pipeline
from infra.kibana.objects.dashboard import links
from infra.kibana.objects.saved_object import RECENT, SavedObject, TimeRange

_DASHBOARDS = (("Market", MARKET), ("Anomalies", ANOMALIES), ("Alerts", ALERTS), ("Pipeline", PIPELINE))
_PAGES = (("Tapewatch", ""), ("Tapewatch: services and dead letters", "health"))


def all_objects(times: TimeRange, dashboard_url: str | None) -> list[SavedObject]:
    """Return all objects but the tag, data views and searches before what needs them.

    Parameters
    ----------
    times
        What dashboards and searches open with.
    dashboard_url
        Address of Tapewatch's own dashboard as readers reach it; None for objects without links to it.
    """
    pages = [(label, page(dashboard_url, path)) for label, path in _PAGES] if dashboard_url else []
    row = links("tapewatch-links", "Links", _DASHBOARDS, pages)
    return [
        *data_views(dashboard_url),
        row,
        *market(times, row, ANOMALIES),
        *anomalies(times, row, MARKET),
        *alerts(times, row, ANOMALIES),
        *pipeline(times, row, MARKET),
    ]


def version(dashboard_url: str | None) -> str:
    """Return a digest of the objects, whatever times they open with."""
    content = json.dumps(all_objects(RECENT, dashboard_url), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]
