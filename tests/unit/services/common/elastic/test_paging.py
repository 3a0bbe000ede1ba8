from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.elastic import paging
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import NotReachable
from services.common.elastic.paging import read_pages, read_values

SORT = [{"@timestamp": "asc"}]


class FakeCluster:
    """Has the given number of documents, sorted by number; counts the requests."""

    transport = SimpleNamespace(node_pool=SimpleNamespace(all=list))

    def __init__(self, documents: int) -> None:
        self._documents = documents
        self.sizes: list[int] = []
        self.open_points = 0
        self.point = "point 0"
        self.fault: Exception | None = None

    def open_point_in_time(self, **_: object) -> dict[str, str]:
        self.open_points += 1
        return {"id": self.point}

    def close_point_in_time(self, id: str) -> None:
        if self.fault:
            raise self.fault
        assert id == self.point
        self.open_points -= 1

    def search(
        self,
        *,
        size: int,
        sort: Sequence[object],
        pit: dict[str, str] | None = None,
        search_after: list[int] | None = None,
        **_: object,
    ) -> dict[str, Any]:
        assert pit is None or pit["id"] == self.point
        self.sizes.append(size)
        self.point = f"point {len(self.sizes)}"  # as Elasticsearch may, which takes only the newest then
        start = 0 if search_after is None else search_after[0] + 1
        numbers = range(start, min(start + size, self._documents))
        # The time, the place, and the fields behind.
        hits = [{"_id": str(n), "sort": [n, -1, *[n * 10] * (len(sort) - 2)]} for n in numbers]
        return {"pit_id": self.point, "hits": {"hits": hits}}


def as_client(cluster: FakeCluster) -> Elasticsearch:
    return cast(Elasticsearch, cluster)


@given(documents=st.integers(0, 60), page_rows=st.integers(1, 20), max_rows=st.integers(1, 70))
def test_each_document_comes_once_in_order_up_to_the_most(
    documents: int, page_rows: int, max_rows: int
) -> None:
    cluster = FakeCluster(documents)
    pages = list(read_pages(as_client(cluster), "trades-*", {}, SORT, max_rows, page_rows))
    assert [hit["_id"] for page in pages for hit in page] == [str(n) for n in range(min(documents, max_rows))]
    assert all(len(page) <= page_rows for page in pages)
    assert cluster.open_points == 0


def test_reader_that_leaves_early_gives_the_point_in_time_back() -> None:
    cluster = FakeCluster(100)
    pages = read_pages(as_client(cluster), "trades-*", {}, SORT, 100, 10)
    assert len(next(pages)) == 10
    assert cluster.open_points == 1
    cast(Any, pages).close()
    assert cluster.open_points == 0


@pytest.mark.parametrize(("documents", "max_rows"), [(0, 100), (9, 100), (20, 10), (20, 3)])
def test_what_fits_into_one_answer_is_asked_for_once(documents: int, max_rows: int) -> None:
    cluster = FakeCluster(documents)
    cluster.fault = AssertionError("no point in time is needed")
    pages = list(read_pages(as_client(cluster), "trades-*", {}, SORT, max_rows, 10))
    assert [len(page) for page in pages] == [min(documents, max_rows)] * bool(documents)
    assert cluster.sizes == [min(10, max_rows)]
    assert cluster.open_points == 0


def test_point_in_time_that_cannot_be_closed_hides_neither_the_hits_nor_another_error() -> None:
    cluster = FakeCluster(3)
    cluster.fault = NotReachable("away")
    pages = read_pages(as_client(cluster), "trades-*", {}, SORT, 3, 2)
    assert [len(page) for page in pages] == [2, 1]
    pages = read_pages(as_client(cluster), "trades-*", {}, SORT, 3, 2)
    next(pages)
    with pytest.raises(KeyError):
        cast(Any, pages).throw(KeyError("the reader's own"))


def test_page_has_the_default_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE_ROWS", 7)
    cluster = FakeCluster(20)
    list(read_pages(as_client(cluster), "trades-*", {}, SORT, 20))
    assert cluster.sizes[1:] == [7, 7, 6]  # the first told that one answer is not enough


def test_values_are_those_of_the_sort_and_the_fields() -> None:
    pages = list(read_values(as_client(FakeCluster(3)), "trades-*", {}, SORT, [{"price": "asc"}], 10))
    assert pages == [[[0, 0], [1, 10], [2, 20]]]
