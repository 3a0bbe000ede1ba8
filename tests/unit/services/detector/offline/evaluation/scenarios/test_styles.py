import numpy as np
import pytest

from services.common.errors import TapewatchError
from services.detector.offline.evaluation.scenarios.registry import SCENARIOS
from services.detector.offline.evaluation.scenarios.styles import Draw, read_styles, style_named


def draw(**ranges: object) -> Draw:
    return Draw(np.random.default_rng(1), ranges)


def test_every_kind_has_ranges_and_no_other_has() -> None:
    for style in read_styles().values():
        assert list(style.kinds) == list(SCENARIOS)


def test_styles_change_only_parameters_that_are_there() -> None:
    plain = read_styles()["plain"]
    for style in read_styles().values():
        for kind, ranges in style.kinds.items():
            assert ranges.keys() == plain.kinds[kind].keys()


def test_ranges_are_uniform_logarithmic_or_choices() -> None:
    some = draw(a=[2, 3], b={"log": [1, 100]}, c={"one_of": ["x", "y"]}, d=7, e=[1.5e-9, 1.5e-9])
    assert all(2 <= some.number("a") <= 3 for _ in range(50))
    logarithmic = [some.number("b") for _ in range(400)]
    assert 1 <= min(logarithmic) <= max(logarithmic) <= 100
    assert 120 < sum(value < 10 for value in logarithmic) < 280
    assert {some.text("c") for _ in range(50)} == {"x", "y"}
    assert some.whole("d") == 7
    assert some.ns("e") == 2


def test_a_probability_of_0_or_1_is_certain() -> None:
    assert not any(draw(never=0).chance("never") for _ in range(20))
    assert all(draw(always=1).chance("always") for _ in range(20))


def test_an_unknown_style_is_named_with_those_there_are() -> None:
    with pytest.raises(TapewatchError, match=r"no style 'loud'") as error:
        style_named("loud")
    assert "plain" in error.value.hint
