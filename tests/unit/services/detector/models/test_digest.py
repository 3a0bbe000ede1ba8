import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.detector.models.digest import content_digest
from services.detector.models.manifest import Scaling

SCALING = Scaling([0.0, 1.0], [0.1, 0.2])


@pytest.mark.parametrize(
    ("model", "features", "scaling"),
    [
        (b"other", ["a", "b"], SCALING),
        (b"model", ["b", "a"], SCALING),
        (b"model", ["a"], SCALING),
        (b"model", ["a", "b"], Scaling([0.0, 1.0], [0.1, 0.3])),
        (b"model", ["a", "b"], msgspec.structs.replace(SCALING, scale=[1.0])),
    ],
)
def test_each_part_of_the_content_changes_the_digest(
    model: bytes, features: list[str], scaling: Scaling
) -> None:
    assert content_digest(model, features, scaling) != content_digest(b"model", ["a", "b"], SCALING)


@given(st.binary(), st.lists(st.text(max_size=5), max_size=3), st.integers(1, 5))
def test_bytes_that_move_between_the_parts_change_the_digest(
    model: bytes, features: list[str], moved: int
) -> None:
    assert len(content_digest(model, features, SCALING)) == 64
    assert content_digest(model, features, SCALING) != content_digest(model + b"[" * moved, features, SCALING)
