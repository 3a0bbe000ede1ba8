from services.dead_letters.listing import Listing
from tests.unit.services.dead_letters.samples import letter, letter_of_message


def test_newest_letters_are_kept_in_their_order_and_all_are_counted() -> None:
    listing = Listing(limit=3)
    for offset, at_ms in enumerate([50, 10, 40, 20, 40, 30]):
        listing.add(letter(offset, at_ms=at_ms))
    assert [kept.id.offset for kept in listing.newest] == [2, 4, 0]
    assert listing.total == 6
    assert listing.kinds == {("detector", "not JSON"): 6}


def test_other_services_letters_are_neither_kept_nor_counted() -> None:
    listing = Listing(limit=3, service="indexer")
    listing.add(letter(1))
    listing.add(letter(2, service="indexer", error="mapping: no"))
    assert [kept.id.offset for kept in listing.newest] == [2]
    assert listing.kinds == {("indexer", "mapping"): 1}
    assert listing.total == 1


def test_message_is_listed_once_however_many_services_wrote_letters_of_it() -> None:
    listing = Listing(limit=3)
    for one in (letter_of_message(1, 7), letter_of_message(2, 7, service="indexer"), letter_of_message(3, 8)):
        listing.add(one)
    assert [kept.id.offset for kept in listing.newest] == [1, 3]
    assert listing.kinds == {("detector", "not JSON"): 2}
    assert listing.total == 2


def test_service_that_wrote_the_second_letter_of_a_message_has_it_listed_too() -> None:
    listing = Listing(limit=3, service="indexer")
    for one in (letter_of_message(1, 7), letter_of_message(2, 7, service="indexer")):
        listing.add(one)
    assert [kept.id.offset for kept in listing.newest] == [2]
