import pytest

from services.alerter.live.checkpoint import decode, encode


def test_a_state_is_read_back_as_it_was_written() -> None:
    assert decode(encode(b"state")) == b"state"
    assert decode(encode(b"")) == b""


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "does not begin"),
        (b"TWA", "does not begin"),
        (b"TWC\x01state", "does not begin"),
        (b"TWA\x02state", "version 2, not 1"),
    ],
)
def test_what_is_no_checkpoint_is_rejected_with_the_reason(value: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode(value)
