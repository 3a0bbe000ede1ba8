"""Dead letters for tests."""

from services.dead_letters.letters import Letter
from tests.samples import kafka_record


def letter(number: int = 0, /, *, at_ms: int = 1_000, key: bytes | None = b"NVDA", **headers: str) -> Letter:
    """Return letter `2-<number>`; without headers, one that the detector rejected from `trades`."""
    usual = {
        "service": "detector",
        "error": "not JSON: no",
        "topic": "trades",
        "partition": "3",
        "offset": str(number),
    }
    return Letter.of(
        kafka_record(
            "dead-letters",
            2,
            number,
            key=key,
            value=b"value",
            headers=[(name, text.encode()) for name, text in (headers or usual).items()],
            at_ms=at_ms,
        )
    )


def failure_of(number: int, of: int, *, origin: int | None = None) -> Letter:
    """Return the letter of a message that was replayed from letter `of` and rejected again."""
    return letter(
        number,
        service="detector",
        topic="trades",
        partition="3",
        offset=str(number if origin is None else origin),
        replay_of=f"2-{of}",
    )


def letter_of_message(number: int, offset: int, *, service: str = "detector", at_ms: int = 500) -> Letter:
    """Return letter `2-<number>` of the message at an offset and time of `trades`."""
    return letter(
        number,
        service=service,
        error="not JSON: no",
        topic="trades",
        partition="3",
        offset=str(offset),
        timestamp_ms=str(at_ms),
    )
