import pytest

from services.common.errors import TapewatchError
from services.contracts.components import INDEXER
from services.contracts.sinks import SINKS, SinkSpec
from services.indexer.sinks.loading import find_sink, load_sink


@pytest.mark.parametrize("name", SINKS)
def test_every_sink_that_is_registered_can_be_loaded(name: str) -> None:
    assert load_sink(find_sink(name)).__name__ == SINKS[name].code.partition(":")[2]


def test_an_unknown_sink_is_reported_with_the_known_ones() -> None:
    with pytest.raises(TapewatchError, match="Unknown sink 'paper'") as caught:
        find_sink("paper")
    assert "elasticsearch" in str(caught.value)


def test_a_missing_package_is_reported_with_its_install_command() -> None:
    spec = SinkSpec(INDEXER, "no_such_package.sink:Sink", extra="paper")
    with pytest.raises(TapewatchError, match="needs the package no_such_package") as caught:
        load_sink(spec)
    assert "tapewatch[paper]" in str(caught.value)
