"""What a receiver has taken, as lines of JSON that outlive it."""

import os
from pathlib import Path

import msgspec


class Taken(msgspec.Struct, frozen=True):
    """A message that a receiver has taken.

    Parameters
    ----------
    receiver
        The protocol.
    key
        What the protocol tells messages apart by.
    body
        As it came; bytes are base64 in the file.
    headers
        Of the request, in small letters.
    is_repeat
        Whether one with this key was taken before.
    is_equal
        Whether it is the same, to the byte, as the first one with this key.
    """

    receiver: str
    key: str
    body: bytes
    headers: dict[str, str]
    is_repeat: bool = False
    is_equal: bool = True


def read_log(path: Path) -> list[Taken]:
    """Return what was taken, in order; a line without its end is being written, or never was."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [msgspec.json.decode(line, type=Taken) for line in whole.splitlines()]


class Log:
    """The file, which a receiver that is started again continues.

    Parameters
    ----------
    path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._first: dict[tuple[str, str], bytes] = {}
        for taken in read_log(path):
            self._first.setdefault((taken.receiver, taken.key), taken.body)
        self._file = path.open("ab")
        # What a kill has cut was not accepted.
        whole = path.read_bytes().rpartition(b"\n")
        self._file.truncate(len(whole[0]) + len(whole[1]))

    def forget(self) -> None:
        """Empty the file."""
        self._file.truncate(0)
        self._first.clear()

    def take(self, receiver: str, key: str, body: bytes, headers: dict[str, str]) -> None:
        """Add a message; it is in the file when this returns."""
        first = self._first.setdefault((receiver, key), body)
        taken = Taken(receiver, key, body, headers, first is not body, first == body)
        self._file.write(msgspec.json.encode(taken) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
