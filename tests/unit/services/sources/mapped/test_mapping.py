from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.sources.mapped.mapping import Part, read_mapping

SPEC = "time=ts,symbol=ticker,price=px,size=qty"


def test_a_yaml_file_says_the_same_as_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broker.yaml"
    path.write_text(
        "time: ts\nsymbol: ticker\nprice: px\nsize: qty\nside: how\nbuy: [Y, ON]\nsell: [N]\n"
        "unit: ms\ndecimal: comma\nextra: [a, b]\n"
    )
    line = f"{SPEC},side=how,buy=Y|ON,sell=N,unit=ms,decimal=comma,extra=a|b"
    assert read_mapping(str(path)) == read_mapping(line)
    assert read_mapping(line).buy == ("Y", "ON")


def test_a_dash_means_that_the_file_has_none() -> None:
    assert read_mapping(f"{SPEC},side=-,id=-") == read_mapping(SPEC)


def test_quotes_make_a_constant_and_a_plus_joins_parts() -> None:
    mapping = read_mapping("time=day+\"16:00:00\",symbol='A,B=C',price=px,size=qty")
    assert mapping.time == (Part("day"), Part("16:00:00", is_constant=True))
    assert mapping.symbol == Part("A,B=C", is_constant=True)
    assert mapping.columns == ["day", "px", "qty"]


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ("time=ts,symbol=s,price=p", "a trade needs size"),
        ("time=ts,symbol=-,price=p,size=q", "a trade needs symbol"),
        (f"{SPEC},colour=red", "unknown key 'colour'"),
        (f"{SPEC},price=last", "names 'price' twice"),
        (f"{SPEC},side=", "'side=' is not key=column"),
        (f"{SPEC},unit=minutes", "unit is 'minutes'"),
        (f"{SPEC},zone=Mars", "zone is 'Mars'"),
        (f"{SPEC},order=ymd", "order is 'ymd'"),
        (f"{SPEC},kind=quote", "kind is 'quote'"),
        (f"{SPEC},source=My Broker", "source is 'My Broker'"),
        (f"{SPEC},decimal=dot", "decimal is 'dot'"),
        (f"{SPEC},side=how,buy=X,sell=x", "buy and sell share a text"),
        ("time=#1,symbol=s,price=p,size=q", "names some columns and counts others"),
        ("missing.yaml", "no such file can be read"),
    ],
)
def test_a_wrong_mapping_is_named(spec: str, cause: str) -> None:
    with pytest.raises(TapewatchError) as raised:
        read_mapping(spec)
    assert cause in raised.value.cause
    assert raised.value.hint


@pytest.mark.parametrize("text", ["- time", "time: {a: b}", "time: [", "\udcff"])
def test_a_yaml_file_that_is_no_mapping_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(TapewatchError, match=r"broken\.yaml"):
        read_mapping(str(path))
