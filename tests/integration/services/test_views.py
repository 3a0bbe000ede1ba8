"""Named views on real Elasticsearch: histories to which two people add at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.embedded.stack import EmbeddedStack
from infra.setup.templates import set_up_templates
from services.common.elastic.client import Elasticsearch, new_client
from services.common.errors import TapewatchError
from services.contracts.indices import VIEWS_INDEX
from services.review.history import Person
from services.review.views import (
    MAX_NAME,
    MAX_QUERY,
    View,
    ViewChangedError,
    delete_view,
    find_view,
    list_views,
    save_view,
)

ANN, BOB = Person("Ann"), Person("Bob", signed_in=True)


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        opened.indices.delete(index=VIEWS_INDEX, ignore_unavailable=True)
        set_up_templates(opened)
        yield opened
        opened.indices.delete(index=VIEWS_INDEX, ignore_unavailable=True)


def test_a_view_is_found_as_it_was_saved_until_it_is_deleted(client: Elasticsearch) -> None:
    assert list_views(client) == []
    assert find_view(client, "Desk") is None
    saved = save_view(client, " Desk ", "search", "symbol=A%26B&severity=high", ANN, None)
    assert (saved.name, saved.page, saved.query) == ("Desk", "search", "symbol=A%26B&severity=high")
    assert find_view(client, "Desk") == saved
    replaced = save_view(client, "Desk", "", "symbol=C", BOB, saved)
    save_view(client, "Another", "alerts", "", ANN, None)
    assert [(view.name, view.recorded_by) for view in list_views(client)] == [
        ("Another", "Ann"),
        ("Desk", "Bob"),
    ]
    delete_view(client, replaced, ANN)
    gone = find_view(client, "Desk")
    assert gone is not None
    assert gone.is_deleted
    assert save_view(client, "Desk", "", "", ANN, gone).number == 4
    assert client.count(index=VIEWS_INDEX)["count"] == 5  # nothing was changed or deleted


def test_whoever_is_second_is_told_who_was_quicker(client: Elasticsearch) -> None:
    seen = save_view(client, "Desk", "", "symbol=A", ANN, None)
    with pytest.raises(ViewChangedError, match="Ann has just saved"):
        save_view(client, "Desk", "", "symbol=B", BOB, None)
    delete_view(client, seen, BOB)
    with pytest.raises(ViewChangedError, match="Bob has just deleted"):
        save_view(client, "Desk", "", "symbol=C", ANN, seen)
    assert client.count(index=VIEWS_INDEX)["count"] == 2


def test_of_many_at_once_one_is_recorded(client: Elasticsearch) -> None:
    def save(number: int) -> View | None:
        try:
            return save_view(client, "Desk", "", f"symbol={number}", Person(f"P{number}"), None)
        except ViewChangedError:
            return None

    with ThreadPoolExecutor(8) as pool:
        saved = [view for view in pool.map(save, range(8)) if view is not None]
    assert len(saved) == 1
    assert find_view(client, "Desk") == saved[0]


@pytest.mark.parametrize("name", ["*", "../../etc", '"}]}', "<b>", "Ü日", "x" * MAX_NAME, "{{7*7}}"])
def test_a_name_is_only_a_name(name: str, client: Elasticsearch) -> None:
    other = save_view(client, "Desk", "", "symbol=A", ANN, None)
    saved = save_view(client, name, "", "symbol=B", ANN, None)
    assert find_view(client, name) == saved
    assert find_view(client, "Desk") == other


@pytest.mark.parametrize("name", ["", "  ", "x" * (MAX_NAME + 1), "a\nb", "a\0b", "a\u202eb"])
def test_a_name_that_nobody_could_read_is_refused(name: str, client: Elasticsearch) -> None:
    with pytest.raises(TapewatchError, match="not a name for a view"):
        save_view(client, name, "", "", ANN, None)


def test_an_address_that_is_too_long_is_refused(client: Elasticsearch) -> None:
    with pytest.raises(TapewatchError, match="too long"):
        save_view(client, "Desk", "", "x" * (MAX_QUERY + 1), ANN, None)
