from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.common.extras import load_with_extra


def test_what_stands_under_a_name_is_returned() -> None:
    assert load_with_extra("pathlib:Path", "This test needs", None) is Path


def test_a_missing_package_of_an_extra_is_named_with_the_fix() -> None:
    with pytest.raises(TapewatchError) as caught:
        load_with_extra("no_such_package:x", "This test needs", "trial")
    assert caught.value.cause == "This test needs the package no_such_package, which is not installed."
    assert caught.value.hint == "Install it: pip install 'tapewatch[trial]'."


@pytest.mark.parametrize(
    ("code", "extra"), [("services.no_such_module:x", "trial"), ("no_such_package:x", None)]
)
def test_a_module_of_our_own_and_a_package_of_no_extra_are_faults_of_the_code(
    code: str, extra: str | None
) -> None:
    with pytest.raises(ModuleNotFoundError):
        load_with_extra(code, "This test needs", extra)
