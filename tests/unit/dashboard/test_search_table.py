from dashboard.anomaly_table import to_judged_table
from dashboard.queries import to_anomaly_rows
from dashboard.search_queries import SortBy
from dashboard.search_table import SORTED_BY
from tests.unit.dashboard.answers import anomaly


def test_every_order_belongs_to_a_heading_that_the_table_has() -> None:
    table = to_judged_table(to_anomaly_rows([anomaly("1")]), {})
    assert set(SORTED_BY) <= set(table.columns)
    assert set(SORTED_BY.values()) == set(SortBy)
