"""All files of Grafana's, by where they are."""

import json
from pathlib import Path

from infra.grafana.content.alerts import alerts
from infra.grafana.content.anomalies import anomalies
from infra.grafana.content.market import market
from infra.grafana.content.pipeline import pipeline
from infra.grafana.objects.queries import Json
from infra.grafana.provisioning import datasources, providers

FOLDER = Path(__file__).parent


def dashboards() -> list[Json]:
    """Return all dashboards."""
    return [market(), anomalies(), alerts(), pipeline()]


def all_files() -> dict[Path, str]:
    """Return the text of each file, by its path in the folder of this package."""
    texts = {
        Path("provisioning/datasources/tapewatch.yaml"): datasources(),
        Path("provisioning/dashboards/tapewatch.yaml"): providers(),
    }
    for one in dashboards():
        name = one["uid"].removeprefix("tapewatch-")
        texts[Path(f"dashboards/{name}.json")] = json.dumps(one, indent=2, ensure_ascii=False) + "\n"
    return texts
