import pytest

from services.common.errors import TapewatchError
from services.detector.offline.evaluation.scenarios.registry import SCENARIOS
from services.detector.offline.evaluation.selection import select


def test_the_classic_six_alone_all_or_some_by_name() -> None:
    assert select("classic").ranked == "classic"
    assert select("classic").scenarios == ()
    assert select("all").ranked == "mixed"
    assert select("all").scenarios == tuple(SCENARIOS.values())
    some = select("silence,block")
    assert some.ranked is None
    assert [scenario.name for scenario in some.scenarios] == ["silence", "block"]


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(TapewatchError, match="no kind 'sience'") as error:
        select("sience,block")
    assert "silence" in error.value.hint
