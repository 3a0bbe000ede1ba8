"""Dashboards: panels on a grid, controls, and where a click leads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.kibana.objects.saved_object import (
    REFRESH,
    Reference,
    SavedObject,
    TimeRange,
    kql,
    plain_title,
    reference,
    saved,
    text,
)

_DRILLDOWN = "DASHBOARD_TO_DASHBOARD_DRILLDOWN"


@dataclass(frozen=True)
class Panel:
    """A saved object on a dashboard.

    Parameters
    ----------
    shows
        A chart, a search, or links.
    x, y, width, height
        Position and size on a grid of 48 columns and any number of rows.
    has_title
        Whether its title is shown above it.
    drilldown
        Menu entry and id of the dashboard that a click on the panel offers; None for no drilldown. The
        clicked value and the time range are passed on; other filters are not, because the other data view
        may lack their fields.
    times
        A time range of its own, where the dashboard's would be another clock's.
    """

    shows: SavedObject
    x: int
    y: int
    width: int
    height: int
    has_title: bool = True
    drilldown: tuple[str, str] | None = None
    times: TimeRange | None = None


def dashboard(
    dashboard_id: str,
    title: str,
    description: str,
    times: TimeRange,
    panels: Iterable[Panel],
    controls: Mapping[str, tuple[str, str]],
) -> SavedObject:
    """Return a dashboard.

    Panels and controls are named after the dashboard too: on the way from one to another Kibana keeps what
    has the same name, and would show the other one's content.

    Parameters
    ----------
    controls
        For each field that has a control to filter by: the control's title and the data view's id.
    """
    shown, references = [], []
    for panel in panels:
        kept, kept_references = _panel(f"{dashboard_id}-{panel.shows['id']}", panel)
        shown.append(kept)
        references += kept_references
    chosen = {}
    for at, (field, (label, view_id)) in enumerate(controls.items()):
        name = f"{dashboard_id}-{field}"
        chosen[name] = _control(name, at, field, label)
        references.append(reference("index-pattern", view_id, f"controlGroup_{name}:optionsListDataView"))
    options = {
        "useMargins": True,
        "syncColors": False,
        "syncCursor": True,
        "syncTooltips": False,
        "hidePanelTitles": False,
    }
    parent_settings = ("ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations")
    attributes = {
        "title": title,
        "description": description,
        "panelsJSON": text(shown),
        "optionsJSON": text(options),
        "version": 1,
        "timeRestore": True,
        "timeFrom": times.start,
        "timeTo": times.end,
        "refreshInterval": REFRESH,
        "controlGroupInput": {
            "controlStyle": "oneLine",
            "chainingSystem": "HIERARCHICAL",
            "panelsJSON": text(chosen),
            "ignoreParentSettingsJSON": text(dict.fromkeys(parent_settings, False)),
        },
        "kibanaSavedObjectMeta": {"searchSourceJSON": text({"query": kql(""), "filter": []})},
    }
    return saved("dashboard", dashboard_id, attributes, references, "8.9.0")


def links(
    links_id: str, title: str, dashboards: Sequence[tuple[str, str]], pages: Sequence[tuple[str, str]]
) -> SavedObject:
    """Return a row of links: to dashboards, which take time and filters along, and to pages elsewhere.

    Parameters
    ----------
    dashboards
        What each link says, and the dashboard's id.
    pages
        What each link says, and the page's address.
    """
    kept: list[dict[str, Any]] = [
        {
            "type": "dashboardLink",
            "id": dashboard_id,
            "label": label,
            "order": at,
            "destinationRefName": f"link_{dashboard_id}_dashboard",
            "options": {"openInNewTab": False, "useCurrentDateRange": True, "useCurrentFilters": True},
        }
        for at, (label, dashboard_id) in enumerate(dashboards)
    ]
    kept += [
        {
            "type": "externalLink",
            "id": f"page-{at}",
            "label": label,
            "order": len(dashboards) + at,
            "destination": address,
            "options": {"openInNewTab": True, "encodeUrl": True},
        }
        for at, (label, address) in enumerate(pages)
    ]
    attributes = {"title": title, "description": "", "layout": "horizontal", "links": kept}
    references = [reference("dashboard", one, f"link_{one}_dashboard") for _, one in dashboards]
    return saved("links", links_id, attributes, references, "10.1.0")


def _panel(name: str, panel: Panel) -> tuple[dict[str, Any], list[Reference]]:
    kind = panel.shows["type"]
    references = [reference(kind, panel.shows["id"], f"{name}:panel_{name}")]
    enhancements: dict[str, Any] = {}
    if panel.drilldown:
        entry, target = panel.drilldown
        event = f"{name}-drilldown"
        config = {"useCurrentFilters": False, "useCurrentDateRange": True, "openInNewTab": False}
        action = {"factoryId": _DRILLDOWN, "name": entry, "config": config}
        events = [{"eventId": event, "triggers": ["FILTER_TRIGGER"], "action": action}]
        enhancements = {"dynamicActions": {"events": events}}
        references.append(
            reference("dashboard", target, f"{name}:drilldown:{_DRILLDOWN}:{event}:dashboardId")
        )
    title = plain_title(panel.shows)
    shown: dict[str, Any] = {"title": title} if panel.has_title else {"hidePanelTitles": True}
    if panel.times:
        shown["timeRange"] = {"from": panel.times.start, "to": panel.times.end}
    kept = {
        "version": "8.12.2",
        "type": kind,
        "gridData": {"x": panel.x, "y": panel.y, "w": panel.width, "h": panel.height, "i": name},
        "panelIndex": name,
        "embeddableConfig": {"enhancements": enhancements, **shown},
        "panelRefName": f"panel_{name}",
        **({"title": title} if panel.has_title else {}),
    }
    return kept, references


def _control(name: str, order: int, field: str, label: str) -> dict[str, Any]:
    return {
        "type": "optionsListControl",
        "order": order,
        "width": "medium",
        "grow": True,
        "explicitInput": {
            "id": name,
            "fieldName": field,
            "title": label,
            "selectedOptions": [],
            "searchTechnique": "prefix",
            "sort": {"by": "_key", "direction": "asc"},
            # Otherwise Kibana stops at 100,000 documents: counts are too low, and symbols are left out.
            "runPastTimeout": True,
            "enhancements": {},
        },
    }
