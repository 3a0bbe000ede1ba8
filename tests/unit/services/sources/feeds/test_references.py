from services.sources.feeds.messages import Print
from services.sources.feeds.references import References


def make_print(trade_id: str, reference: str) -> Print:
    return Print("AAPL", trade_id, 1, 0, b"{}", reference)


def test_a_reference_means_the_trades_that_have_it() -> None:
    references = References()
    references.see(
        [make_print("t-1", "a"), make_print("t-2", "b"), make_print("t-3", "b"), make_print("t-4", "")]
    )
    assert references.find("a") == ("t-1",)
    assert references.find("b") == ("t-2", "t-3")
    assert references.find("") == ()


def test_a_print_that_comes_again_makes_no_reference_ambiguous() -> None:
    references = References()
    references.see([make_print("t-1", "a")] * 3)
    assert references.find("a") == ("t-1",)


def test_only_the_last_prints_are_remembered_and_a_twin_across_the_halves_is_seen() -> None:
    references = References(most=20)
    references.see(make_print(f"t-{number}", f"r-{number}") for number in range(1_000))
    assert references.find("r-0") == ()
    assert all(references.find(f"r-{number}") for number in range(990, 1_000))
    assert len(references._new) + len(references._old) <= 20
    references.add("r-990", "twin")
    assert references.find("r-990") == ("t-990", "twin")
