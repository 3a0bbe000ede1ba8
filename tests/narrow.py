"""Narrows types where a test knows more than a library's types: that a value is there, and its type."""

import datetime as dt
from typing import TypeVar

from confluent_kafka import Message

from services.common.kafka.records import Record

T = TypeVar("T")


def number(value: object) -> float:
    """Return a number; for polars, whose aggregates may have any type of a column."""
    assert isinstance(value, int | float)
    return value


def moment(value: object) -> dt.datetime:
    """Return a time; for the aggregates of polars and the rows of pandas."""
    assert isinstance(value, dt.datetime)
    return value


def key_of(record: Record) -> bytes:
    """Return the key of a record that has one."""
    key = record.key()
    assert key is not None
    return key


def value_of(record: Record) -> bytes:
    """Return the value of a record that has one."""
    value = record.value()
    assert value is not None
    return value


def headers_of(record: Record | Message) -> dict[str, bytes]:
    """Return the headers by name, without those that have no value."""
    return {name: value for name, value in dict(record.headers() or ()).items() if isinstance(value, bytes)}


def present(value: T | None) -> T:
    """Return a value that is not None."""
    assert value is not None
    return value
