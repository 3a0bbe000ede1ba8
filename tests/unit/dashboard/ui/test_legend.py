from dashboard.ui.legend import BROKEN_LINE, LINE, legend_html
from dashboard.ui.palette import label_shapes


def test_the_legend_counts_what_is_there_most_urgent_first() -> None:
    html = legend_html({"low": 2712, "critical": 5}, {"High Volume": 9})
    assert html.index("critical") < html.index("low")
    assert "2,712" in html
    assert "medium" not in html
    assert "▲" in html


def test_a_name_from_the_data_is_text() -> None:
    html = legend_html({}, {"<script>alert(1)</script>": 1})
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_unknown_labels_get_shapes_of_their_own() -> None:
    assert label_shapes(["Zeta", "Alpha", "Z-Score"]) == {
        "Z-Score": "square",
        "Alpha": "wedge",
        "Zeta": "arrow",
    }


def test_with_a_filter_the_legend_says_how_many_pass_it() -> None:
    html = legend_html({"low": 144, "high": 29}, {"Burst": 173}, chosen=({"high": 29}, {"Burst": 29}))
    for text in ("0 of 144", "29 of 29", "29 of 173"):
        assert text in html
    assert " of " not in legend_html({"low": 144}, {})


def test_lines_that_are_drawn_and_broken_ones_have_different_signs() -> None:
    html = legend_html({}, {}, has_expected=True)
    assert f"{LINE}</span> Recent prices" in html
    assert f"{BROKEN_LINE}</span> Flagged beyond" in html
    assert LINE != BROKEN_LINE
