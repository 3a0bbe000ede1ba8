from xml.etree import ElementTree

from dashboard.pages.overview.sparkline import HEIGHT, WIDTH, price_limits, sparkline_html, sparkline_svg
from dashboard.pages.overview.watched import Mark, Watched
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from tests.unit.dashboard.answers import OPEN, RANGE

OPEN_MS = OPEN.timestamp() * 1000
HOUR_MS = 3_600_000.0


def watched(prices: list[float], *marks: Mark) -> Watched:
    points = [(OPEN_MS + number * HOUR_MS / 30, price) for number, price in enumerate(prices)]
    return Watched("ACME", points, prices[0], {}, list(marks), None)


def circles(svg: str) -> list[tuple[float, float, str]]:
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}circle")  # noqa: S314
    return [(float(one.attrib["cx"]), float(one.attrib["cy"]), one.attrib["fill"]) for one in found]


def test_the_most_severe_anomaly_is_drawn_on_top_in_its_colour() -> None:
    marks = [Mark(OPEN_MS, 10.0, "critical"), Mark(OPEN_MS + HOUR_MS, 11.0, "low")]
    drawn = circles(sparkline_svg(watched([10.0, 11.0, 12.0], *marks), RANGE))
    assert [color for _, _, color in drawn] == [
        SEVERITY_COLORS[Severity.LOW],
        SEVERITY_COLORS[Severity.CRITICAL],
    ]
    assert drawn[1][0] < drawn[0][0]
    assert drawn[1][1] > drawn[0][1]


def test_one_bad_print_does_not_flatten_the_line_and_is_drawn_at_the_edge() -> None:
    prices = [100.0 + number % 5 for number in range(50)]
    low, high = price_limits([*prices, 1_000.0])
    assert 99 <= low <= 100
    assert 104 <= high <= 106
    ((_, y, _),) = circles(sparkline_svg(watched([*prices, 1_000.0], Mark(OPEN_MS, 1_000.0, "high")), RANGE))
    assert 0 <= y < HEIGHT / 4


def test_prices_that_never_change_lie_in_the_middle() -> None:
    low, high = price_limits([7.25])
    assert low < 7.25 < high
    (line,) = ElementTree.fromstring(sparkline_svg(watched([7.25, 7.25]), RANGE))  # noqa: S314
    ys = {point.split(",")[1] for point in line.attrib["points"].split()}
    assert ys == {str(HEIGHT / 2)}


def test_the_picture_is_one_image_with_a_text_in_which_nothing_is_markup() -> None:
    html = sparkline_html(watched([1.0, 2.0]), RANGE, '"><b>')
    assert html.count("<") == 1
    assert 'alt="&quot;&gt;&lt;b&gt;"' in html
    assert str(WIDTH) in html
