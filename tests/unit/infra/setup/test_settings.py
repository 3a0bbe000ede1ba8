from typing import Any

import pytest

from infra.setup.settings import SetupSettings
from services.common.errors import TapewatchError


def test_there_is_no_login_by_default() -> None:
    assert SetupSettings().kibana_login() is None


def test_the_password_may_be_given_in_the_variable() -> None:
    settings = SetupSettings(kibana_user="elastic", kibana_password="hunter2")
    assert settings.kibana_login() == ("elastic", "hunter2")
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"kibana_user": "u"}, "TAPEWATCH_KIBANA_PASSWORD_FILE is missing"),
        ({"kibana_password": "hunter2"}, "TAPEWATCH_KIBANA_USER is missing"),
        (
            {"kibana_user": "u", "kibana_password": "hunter2", "kibana_password_file": "x"},
            "Both TAPEWATCH_KIBANA_PASSWORD and TAPEWATCH_KIBANA_PASSWORD_FILE",
        ),
        ({"kibana_user": "u", "kibana_password_file": "absent"}, "absent cannot be read: No such file"),
    ],
)
def test_a_login_that_cannot_work_is_rejected_without_showing_the_secret(
    given: dict[str, Any], cause: str
) -> None:
    with pytest.raises(TapewatchError) as caught:
        SetupSettings(**given).kibana_login()
    assert cause in caught.value.cause
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("partitions", ["0", "513", "six"])
def test_a_number_of_partitions_that_cannot_be_is_rejected(
    monkeypatch: pytest.MonkeyPatch, partitions: str
) -> None:
    monkeypatch.setenv("TAPEWATCH_PARTITIONS", partitions)
    with pytest.raises(TapewatchError, match=f"TAPEWATCH_PARTITIONS is '{partitions}': "):
        SetupSettings()
