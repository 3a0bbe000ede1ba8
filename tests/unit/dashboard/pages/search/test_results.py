from dashboard.pages.search.results import SORTED_BY
from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.server.anomaly_search import SortBy
from dashboard.ui.anomaly_table import columns_of
from tests.unit.dashboard.answers import anomaly


def test_every_order_belongs_to_a_heading_that_the_list_has() -> None:
    columns = columns_of(to_anomaly_rows([anomaly("1")]), {}, {}, SORTED_BY)
    assert {column.name for column in columns if column.sorts} == set(SORTED_BY)
    assert set(SORTED_BY.values()) == set(SortBy)
