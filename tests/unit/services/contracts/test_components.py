from services.contracts.components import INDEXER, PORT_STEP, PORTS_TRIED, indexer
from services.contracts.sinks import COMPONENTS, SINKS


def test_no_instance_of_a_component_has_another_ones_usual_port() -> None:
    ports = [
        one.metrics_port + PORT_STEP * number for one in COMPONENTS.values() for number in range(PORTS_TRIED)
    ]
    assert len(ports) == len(set(ports))


def test_components_share_neither_name_nor_group() -> None:
    groups = [one.group for one in COMPONENTS.values() if one.group]
    assert len(COMPONENTS) == len(SINKS) + 4, "two have one name"
    assert len(set(groups)) == len(groups)


def test_indexer_of_another_sink_is_added_to_the_one_for_elasticsearch() -> None:
    other = indexer("other", 9104)
    assert (INDEXER.service, INDEXER.group) == ("indexer", "tapewatch-indexer")
    assert (other.service, other.group) == ("indexer-other", "tapewatch-indexer-other")
    assert (INDEXER.is_required, other.is_required) == (True, False)
    assert "--sink other" in other.start_hint
    assert "--sink" not in INDEXER.start_hint
