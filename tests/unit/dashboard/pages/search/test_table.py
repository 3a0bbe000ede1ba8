from dashboard.pages.search.queries import SortBy
from dashboard.pages.search.table import sorted_by
from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.ui.anomaly_table import to_judged_table
from tests.unit.dashboard.answers import anomaly


def test_every_order_belongs_to_a_heading_that_the_table_has() -> None:
    table = to_judged_table(to_anomaly_rows([anomaly("1")]), {}, {})
    assert set(sorted_by()) <= set(table.columns)
    assert set(sorted_by().values()) == set(SortBy)
