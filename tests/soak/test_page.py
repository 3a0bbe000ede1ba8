"""The page of a soak."""

import re

from tests.soak.page import page

LINES = {"detector-b": [(0.0, 300.0), (60.0, 410.0)], "<kafka>": [(0.0, 800.0), (60.0, 790.0)]}


def test_each_figure_is_a_line_within_the_chart_and_each_fault_is_named() -> None:
    text = page("2 minutes", {"memory (MB)": LINES}, [(30.0, "kill kafka")], [("what", ""), ("<b>", "1")])
    ways = re.findall(r'<polyline points="([^"]+)"', text)
    assert len(ways) == len(LINES)
    for way in ways:
        for x, y in (map(float, point.split(",")) for point in way.split()):
            assert 70 <= x <= 880
            assert 12 <= y <= 214
    assert "<title>kill kafka</title>" in text
    assert "&lt;kafka&gt;" in text
    assert "<td>&lt;b&gt;</td>" in text
