"""The dashboards, by their panels' queries and variables, as they stand in the files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.grafana.files import FOLDER
from infra.grafana.objects.queries import POSTGRES, PROMETHEUS

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {
    path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))
}
"""By their names: `market`, …"""


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    dashboard: str
    panel: Json
    target: Json

    @property
    def name(self) -> str:
        """Name of it, for people and as a key."""
        ref_id = self.target["refId"]
        return f"{self.dashboard}: {self.panel['title']}" + ("" if ref_id == "A" else f" ({ref_id})")

    @property
    def text(self) -> str:
        """Its SQL or PromQL."""
        found: str = self.target.get("rawSql") or self.target["expr"]
        return found


def _queries(datasource: Json) -> Iterator[Query]:
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                if target["datasource"] == datasource:
                    yield Query(name, panel, target)


SQL = list(_queries(POSTGRES))
PROMQL = list(_queries(PROMETHEUS))


def variables(dashboard: str) -> dict[str, Json]:
    """Return a dashboard's variables by their names."""
    return {one["name"]: one for one in DASHBOARDS[dashboard]["templating"]["list"]}
