import pytest

from dashboard.settings import DashboardSettings
from services.common.errors import TapewatchError


def test_nothing_set_means_one_machine_and_no_kibana() -> None:
    settings = DashboardSettings()
    assert (settings.services, settings.kibana, settings.refresh_s) == ((), None, 5.0)


def test_addresses_and_urls_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_SERVICES", "producer:9101, detector:9102,")
    monkeypatch.setenv("TAPEWATCH_KIBANA", "http://127.0.0.1:5601/")
    monkeypatch.setenv("TAPEWATCH_REFRESH_S", "2.5")
    settings = DashboardSettings()
    assert settings.services == ("producer:9101", "detector:9102")
    assert settings.kibana == "http://127.0.0.1:5601"
    assert settings.refresh_s == 2.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICES", "producer"),
        ("SERVICES", "producer:99999"),
        ("SERVICES", "http://producer:9101"),
        ("KIBANA", "javascript:alert(1)"),
        ("KIBANA", "http://user:password@kibana:5601"),
        ("REFRESH_S", "0"),
        ("REFRESH_S", "often"),
    ],
)
def test_error_names_the_variable_with_an_invalid_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TAPEWATCH_{name}", value)
    with pytest.raises(TapewatchError) as caught:
        DashboardSettings()
    assert f"TAPEWATCH_{name}" in caught.value.hint
