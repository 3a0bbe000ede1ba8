from dashboard.ui.navigation import page_url


def test_an_address_has_only_the_parameters_that_say_something() -> None:
    assert page_url("anomaly", id="1", list="") == "anomaly?id=1"
    assert page_url("search") == "search"
