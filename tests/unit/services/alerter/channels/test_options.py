from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from services.alerter.channels.options import one_of, read_options, secret_of
from services.common.errors import TapewatchError


class Chosen(msgspec.Struct, kw_only=True):
    host: str
    port: int = 25
    mode: Literal["a", "b"] = "a"
    sender: str = msgspec.field(name="from", default="x")
    to: list[str] = []


def test_options_are_read_by_their_names_in_the_file() -> None:
    chosen = read_options({"host": "h", "from": "y", "to": ["z"]}, Chosen)

    assert (chosen.host, chosen.port, chosen.sender, chosen.to) == ("h", 25, "y", ["z"])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "the option host is missing"),
        ({"host": "h", "hots": 1}, "the option hots is unknown, it has host, port, mode, from, to"),
        ({"host": "h", "sender": "y"}, "the option sender is unknown"),
        ({"host": 5}, "the option host is impossible, expected `str`, got `int`"),
        ({"host": "h", "port": "s3cret"}, "the option port is impossible, expected `int`, got `str`"),
        ({"host": "h", "to": ["a", 1]}, r"the option to\[1\] is impossible"),
        ({"host": "h", "mode": "c"}, "the option mode is impossible, invalid enum value 'c'"),
    ],
)
def test_a_wrong_option_is_named(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        read_options(given, Chosen)

    assert "s3cret" not in str(error.value)


def test_where_there_are_no_options_that_is_said() -> None:
    class Nothing(msgspec.Struct):
        pass

    with pytest.raises(ValueError, match="the option x is unknown, it has none"):
        read_options({"x": 1}, Nothing)


def test_a_secret_is_one_line_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("  s3cret \n")

    assert secret_of(str(path), "key_file") == "s3cret"


@pytest.mark.parametrize("content", ["one\ntwo", "\x00", " \n "])
def test_a_file_without_exactly_one_line_is_no_secret(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret"
    path.write_text(content)

    with pytest.raises(ValueError, match="the option key_file has not exactly one line"):
        secret_of(str(path), "key_file")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="secret cannot be read"):
        secret_of(str(tmp_path / "secret"), "key_file")


def test_a_url_is_given_plainly_or_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("https://x.example\n")

    assert one_of("https://y.example", None) == ("https://y.example", "url", False)
    assert one_of(None, str(path)) == ("https://x.example", "url_file", True)
    for both in (("a", "b"), (None, None)):
        with pytest.raises(ValueError, match="exactly one of the options url and url_file"):
            one_of(*both)
