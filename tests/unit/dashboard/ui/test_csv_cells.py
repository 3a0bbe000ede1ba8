import pytest

from dashboard.ui.csv_cells import as_cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_becomes_text(text: str) -> None:
    assert as_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "2-11667-20241202-1", "a=b", "Größe", "'quoted'"])
def test_text_stays_as_it_is(text: str) -> None:
    assert as_cell(text) == text
