import pytest

from services.detector.features.feature import Feature
from services.detector.features.registry import FEATURES
from services.detector.features.state import STATE
from tests.docs.pages import ROOT, rows

TEXT = (ROOT / "docs" / "features.md").read_text()


def row_of(feature: Feature) -> dict[str, str]:
    """Return a feature's row in the table."""
    return {
        "feature": f"`{feature.name}`",
        "unit": feature.unit,
        "formula": feature.formula,
        "source": feature.source,
    }


def test_the_table_has_each_feature_as_it_is_defined_in_the_order_of_the_columns() -> None:
    assert [row for row in rows(TEXT) if "formula" in row] == [row_of(feature) for feature in FEATURES]


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_feature_has_name_unit_formula_and_source(feature: Feature) -> None:
    assert feature.name.isidentifier()
    assert all((feature.unit, feature.formula, feature.source))
    assert "|" not in "".join((feature.unit, feature.formula, feature.source))


def test_the_size_of_a_sessions_state_is_documented() -> None:
    assert f"{STATE.itemsize / 1024:.0f} kB" in TEXT
