import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.setup.cluster import Abilities
from infra.setup.templates import FOLDER, PREFIX, set_up_templates
from services.common.elastic.client import new_client
from services.contracts.detectors import DETECTORS
from services.contracts.indices import NEEDED_TEMPLATES
from services.detector.detectors.checks import session_trades
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Profile
from tests.unit.infra.full_cluster import FullCluster


def read(folder: str) -> dict[str, dict[str, Any]]:
    return {PREFIX + path.stem: json.loads(path.read_text()) for path in (FOLDER / folder).glob("*.json")}


COMPONENTS = read("components")
INDEX_TEMPLATES = read("templates")
ONLY_ON_FULL_CLUSTERS = {
    "tapewatch-compression",
    "tapewatch-trades-lifecycle",
    "tapewatch-anomalies-lifecycle",
}


def fields(properties: dict[str, dict[str, Any]], parent: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, mapping in properties.items():
        yield f"{parent}{name}", mapping
        yield from fields(mapping.get("properties", {}), f"{parent}{name}.")


def test_the_services_templates_are_there() -> None:
    assert set(NEEDED_TEMPLATES) < set(INDEX_TEMPLATES)


@pytest.mark.parametrize("name", INDEX_TEMPLATES)
def test_a_template_needs_only_components_that_every_cluster_gets(name: str) -> None:
    template = INDEX_TEMPLATES[name]
    optional = set(template["ignore_missing_component_templates"])
    assert set(template["composed_of"]) - optional <= set(COMPONENTS) - ONLY_ON_FULL_CLUSTERS
    assert optional <= set(template["composed_of"])


def test_an_anomaly_with_every_feature_of_every_detector_fits_into_its_index() -> None:
    engine = Engine(Profile.model_validate({"detectors": {name: {} for name in DETECTORS}}))
    flags = [one for found in engine.flag(session_trades("NVDA", 0, 1, 0)) for one in found.flags.values()]
    assert len(flags) == len(DETECTORS)
    dynamic = {f"features.{name}" for one in flags for name in one.features}
    dynamic |= {f"contributions.{name}" for one in flags for name in one.contributions}
    assert len(dynamic) > len(DETECTORS)
    static = [
        name
        for component in ("tapewatch-trade-fields", "tapewatch-anomaly-fields")
        for name, _ in fields(COMPONENTS[component]["template"]["mappings"]["properties"])
    ]
    limit = COMPONENTS["tapewatch-anomaly-fields"]["template"]["settings"]["index"]["mapping"]
    # Half of what is left is for detectors of others.
    assert len(static) + 2 * len(dynamic) <= limit["total_fields"]["limit"]


def test_text_is_only_what_people_write_or_read_as_sentences() -> None:
    text = {
        name
        for component in COMPONENTS.values()
        for name, mapping in fields(component["template"].get("mappings", {}).get("properties", {}))
        if mapping.get("type") == "text"
    }
    assert text == {"message", "comment", "reason", "digest.reason"}


@pytest.mark.parametrize("lifecycle", [True, False])
def test_a_cluster_gets_what_it_can_take_once(lifecycle: bool) -> None:
    with FullCluster(security=False) as cluster, new_client(cluster.url) as client:
        changes = set_up_templates(client, Abilities(lifecycle=lifecycle))
        components = set(COMPONENTS) if lifecycle else set(COMPONENTS) - ONLY_ON_FULL_CLUSTERS
        assert sorted(changes) == sorted(
            [f"created component template {name}" for name in components]
            + [f"created index template {name}" for name in INDEX_TEMPLATES]
        )
        # An index template may name a component only once that is there.
        kinds = [change.split()[1] for change in changes]
        assert kinds == sorted(kinds)
        assert set_up_templates(client, Abilities(lifecycle=lifecycle)) == []
