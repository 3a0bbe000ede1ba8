"""A mapping: which columns of a file are what of a trade, as a person writes it on one line or in YAML."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args
from zoneinfo import ZoneInfo

from services.common.errors import TapewatchError
from services.sources.columns import PLAIN_TEXT
from services.sources.options import PriceForm
from services.sources.values import UNIT_NANOS, DateOrder

Kind = Literal["trade", "bar"]

EXAMPLE = "--map 'time=ts,symbol=ticker,price=px,size=qty,side=-'"
ABSENT = "-"
SOURCE = r"[a-z][a-z0-9_.-]{0,31}"
COLUMN_KEYS = ("time", "symbol", "price", "size", "side", "sequence", "id", "venue", "open", "high", "low")
"""Keys whose value is a column; in the order in which they are reported."""

REQUIRED_KEYS = ("time", "symbol", "price", "size")
OTHER_KEYS = (
    "extra",
    "unit",
    "zone",
    "order",
    "buy",
    "sell",
    "decimal",
    "separator",
    "source",
    "kind",
    "prices",
)
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}


@dataclass(frozen=True)
class Part:
    """A piece of a value: the text of a column, or a constant.

    Parameters
    ----------
    text
        The column's name, `#3` for the third column of a file without a header, or the constant.
    is_constant
        Which of the two it is.
    """

    text: str
    is_constant: bool = False


@dataclass(frozen=True)
class Mapping:
    """What of a trade stands in which column.

    Parameters
    ----------
    time
        Parts of the time, joined with a space.
    symbol, price, size
        The column, or for `symbol` and `size` a constant.
    side, sequence, id, venue, open, high, low
        The column; None where the file has none.
    extra
        Columns that go into the object `extra`.
    unit
        A key of `UNIT_NANOS`, for times that count since 1970; None for what the number's length says.
    zone
        Where times were written that name no offset.
    order
        What dates such as 3/4/2026 begin with; None for what the column says.
    buy, sell
        Texts of the column `side` that mean an aggressive buy and sell, besides the usual ones.
    decimal_comma
        Numbers have a comma where others have a point.
    separator
        What separates columns of a text file; None for what its first line says.
    source
        What the trades' field `source` says, and their ids begin with.
    kind
        What a row is.
    prices
        How prices are written.
    has_whole_ids
        The column `id` may have ids as the topic has them, as trades do that were exported from an index.
    """

    time: tuple[Part, ...]
    symbol: Part
    price: Part
    size: Part
    side: Part | None = None
    sequence: Part | None = None
    id: Part | None = None
    venue: Part | None = None
    open: Part | None = None
    high: Part | None = None
    low: Part | None = None
    extra: tuple[str, ...] = ()
    unit: str | None = None
    zone: str = "UTC"
    order: DateOrder | None = None
    buy: tuple[str, ...] = ()
    sell: tuple[str, ...] = ()
    decimal_comma: bool = False
    separator: str | None = None
    source: str = "mapped"
    kind: Kind = "trade"
    prices: PriceForm = "decimal"
    has_whole_ids: bool = False

    @property
    def columns(self) -> list[str]:
        """Every column that the mapping names, once."""
        single = [getattr(self, key) for key in COLUMN_KEYS if key != "time"]
        parts = [part for part in [*self.time, *single] if part is not None and not part.is_constant]
        return list(dict.fromkeys([*(part.text for part in parts), *self.extra]))

    @property
    def has_header(self) -> bool:
        """Whether the file's first line names its columns; else they are named by their positions."""
        return not all(re.fullmatch(r"#\d+", name) for name in self.columns)


def read_mapping(spec: str) -> Mapping:
    """Read a mapping as `--map` takes it: on one line, or as the path of a YAML file with the same keys.

    Raises
    ------
    TapewatchError
        It is not a mapping; the hint says what is missing.
    """
    if "=" not in spec or Path(spec).expanduser().is_file():
        return mapping_of(_yaml_fields(Path(spec).expanduser()), spec)
    fields: dict[str, str] = {}
    for item in _items(spec):
        key, equals, value = item.partition("=")
        if not equals or not value.strip():
            raise TapewatchError(
                f"--map: {item.strip()!r} is not key=column.",
                f"Write it like {EXAMPLE}; docs/sources.md has all keys.",
            )
        if key.strip() in fields:
            raise TapewatchError(f"--map names {key.strip()!r} twice.", "Give each key once.")
        fields[key.strip()] = value.strip()
    return mapping_of(fields, "--map")


def mapping_of(fields: dict[str, Any], where: str) -> Mapping:
    """Check fields and build their mapping.

    Parameters
    ----------
    fields
        Keys and their texts; lists of texts for `extra`, `buy` and `sell`, or texts with `|` between them.
    where
        Where they were written, for errors.

    Raises
    ------
    TapewatchError
        A key is unknown or missing, or a value is not one of its kind.
    """
    unknown = [key for key in fields if key not in (*COLUMN_KEYS, *OTHER_KEYS)]
    if unknown:
        raise TapewatchError(
            f"{where}: unknown key {', '.join(map(repr, unknown))}.",
            f"The keys are {', '.join((*COLUMN_KEYS, *OTHER_KEYS))}.",
        )
    missing = [key for key in REQUIRED_KEYS if fields.get(key, ABSENT) == ABSENT]
    if missing:
        hint = f"Name its column, as in {EXAMPLE}."
        if missing == ["symbol"]:
            hint = 'Where all rows have one symbol, put it in quotes: symbol="BTC-USD".'
        if missing == ["size"]:
            hint = 'Where rows have no size, say so with a constant: size="0" (sizes are then not judged).'
        raise TapewatchError(f"{where}: a trade needs {' and '.join(missing)}.", hint)
    columns = {key: _part(str(fields[key]), key, where) for key in COLUMN_KEYS[1:] if key in fields}
    given: dict[str, Any] = {key: part for key, part in columns.items() if part is not None}
    given["time"] = tuple(_part(text, "time", where) for text in _outside_quotes(str(fields["time"]), "+"))
    for key in ("extra", "buy", "sell"):
        if fields.get(key, ABSENT) != ABSENT:
            given[key] = tuple(_list(fields[key]))
    for key in ("unit", "zone", "order", "source", "kind", "prices"):
        if key in fields:
            given[key] = str(fields[key])
    if "decimal" in fields:
        given["decimal_comma"] = _choice(
            where, "decimal", str(fields["decimal"]), {"comma": True, "point": False}
        )
    if "separator" in fields:
        given["separator"] = _choice(where, "separator", str(fields["separator"]), SEPARATORS)
    mapping = Mapping(**given)
    _check(mapping, where)
    return mapping


def _check(mapping: Mapping, where: str) -> None:
    def refuse(key: str, value: str, allowed: str) -> TapewatchError:
        return TapewatchError(f"{where}: {key} is {value!r}.", f"It is {allowed}.")

    if mapping.unit is not None and mapping.unit not in UNIT_NANOS:
        raise refuse("unit", mapping.unit, f"one of {', '.join(UNIT_NANOS)}")
    try:
        ZoneInfo(mapping.zone)
    except (KeyError, OSError, ValueError) as error:  # unknown names are KeyErrors
        raise refuse("zone", mapping.zone, "a name such as America/New_York") from error
    if mapping.order not in (None, "dmy", "mdy"):
        raise refuse("order", cast("str", mapping.order), "dmy (day first) or mdy (month first)")
    if mapping.kind not in ("trade", "bar"):
        raise refuse("kind", mapping.kind, "trade or bar")
    if mapping.prices not in get_args(PriceForm):
        raise refuse("prices", mapping.prices, "decimal, or fixed for whole numbers of 1e-9")
    if not re.fullmatch(SOURCE, mapping.source):
        raise refuse("source", mapping.source, "a short name of small letters, digits, '_', '.' and '-'")
    if set(map(str.lower, mapping.buy)) & set(map(str.lower, mapping.sell)):
        raise TapewatchError(f"{where}: buy and sell share a text.", "Give each text to one of them.")
    positions = [re.fullmatch(r"#\d+", name) is not None for name in mapping.columns]
    if any(positions) and not all(positions):
        raise TapewatchError(
            f"{where} names some columns and counts others (#1, #2, …).",
            "Use names for a file with a header, positions for one without.",
        )


def _part(text: str, key: str, where: str) -> Part | None:
    text = text.strip()
    if text == ABSENT:
        return None
    quoted = re.fullmatch(r"\"(.*)\"|'(.*)'", text)
    if quoted is None:
        return Part(text)
    constant = quoted[1] if quoted[1] is not None else quoted[2]
    if not re.fullmatch(PLAIN_TEXT[1:-1], constant):
        raise TapewatchError(
            f"{where}: the constant of {key} is not plain text of 1 to 256 characters.",
            "Leave out quotes in it.",
        )
    return Part(constant, is_constant=True)


def _items(spec: str) -> Iterable[str]:
    return [item for item in _outside_quotes(spec, ",") if item.strip()]


def _outside_quotes(text: str, mark: str) -> list[str]:
    """Split at a mark that stands in no quotes."""
    pieces = re.findall(rf"(?:\"[^\"]*\"|'[^']*'|[^{re.escape(mark)}])+", text)
    return [piece for piece in pieces if piece.strip()]


def _list(value: object) -> list[str]:
    return [str(item).strip() for item in (value if isinstance(value, list) else str(value).split("|"))]


def _choice(where: str, key: str, value: str, choices: dict[str, Any]) -> Any:  # noqa: ANN401 - as the table says
    if value in choices:
        return choices[value]
    if value in choices.values():
        return value
    raise TapewatchError(f"{where}: {key} is {value!r}.", f"It is one of {', '.join(choices)}.")


def _yaml_fields(path: Path) -> dict[str, Any]:
    import yaml  # only a mapping in a file needs it

    try:
        text = path.read_text()
        fields = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - it builds only texts, lists and mappings
    except OSError as error:
        raise TapewatchError(
            f"--map: {str(path)!r} is not a mapping, and no such file can be read ({error.strerror}).",
            f"Write it like {EXAMPLE}, or name a YAML file with the same keys.",
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise TapewatchError(
            f"{path} cannot be read as YAML: {' '.join(str(error).split())}.",
            "Correct it; it has to be UTF-8 text.",
        ) from error
    if not isinstance(fields, dict) or not all(isinstance(value, str | list) for value in fields.values()):
        raise TapewatchError(
            f"{path} is not a mapping of keys to columns.", "Write lines such as `time: ts`."
        )
    return fields
