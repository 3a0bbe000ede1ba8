"""The alerts: the list of those to be worked on and the silences, or one of them with its case."""

from dashboard.pages.alerts.one_alert import show_alert
from dashboard.pages.alerts.queue import show_queue
from dashboard.pages.alerts.silences import show_silences
from dashboard.ui import url_state
from dashboard.ui.who import who
from services.common.elastic.client import Elasticsearch


def show(client: Elasticsearch) -> None:
    """Show the alert that the address names, or the list and the silences."""
    if alert_id := url_state.read("id", str, ""):
        show_alert(client, alert_id)
    else:
        show_queue(client)
        show_silences(client, who())
