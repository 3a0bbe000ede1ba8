"""Dashboards: panels on a grid, variables, and links from one to another."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.grafana.objects.queries import Json

TAG = "tapewatch"
COLUMNS = 24
"""Width of the grid."""

_SCHEMA_VERSION = 42
"""Of the JSON, as Grafana 13 has it."""

_CROSSHAIR = 1
"""The time under the pointer is shown in all charts."""


@dataclass(frozen=True)
class Place:
    """A panel and where it stands, on a grid of `COLUMNS` columns and any number of rows."""

    shows: Json
    x: int
    y: int
    width: int
    height: int


def dashboard(
    uid: str, title: str, description: str, variables: Sequence[Json], places: Sequence[Place]
) -> Json:
    """Return a dashboard that opens with the last day, asks again every 10 s, and links to the others."""
    panels = [
        {
            "id": number,
            "gridPos": {"x": place.x, "y": place.y, "w": place.width, "h": place.height},
            **place.shows,
        }
        for number, place in enumerate(places, start=1)
    ]
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": _CROSSHAIR,
        "timezone": "browser",
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "10s",
        "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m", "15m", "1h"]},
        "links": [_others()],
        "annotations": {"list": []},
        "templating": {"list": list(variables)},
        "panels": panels,
    }


def _others() -> Json:
    return {
        "type": "dashboards",
        "title": "Tapewatch",
        "tags": [TAG],
        "icon": "external link",
        "tooltip": "",
        "asDropdown": False,
        "targetBlank": False,
        # Not every dashboard has the same variables, or as many choices for them.
        "includeVars": False,
        "keepTime": True,
    }
