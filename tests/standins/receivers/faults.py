"""What a receiver does wrong, and with which request."""

from dataclasses import dataclass
from typing import Literal

ReceiverFaultKind = Literal[
    "error",  # answers 500, or 451 as a mail server, and takes nothing
    "busy",  # answers 429 with Retry-After, or 421 as a mail server
    "gone",  # answers 410, or 550 to every address as a mail server
    "hang",  # takes nothing and never answers
    "cut",  # takes it, and cuts the connection within the first line of the answer
    "half",  # takes it, and cuts the connection within the answer's body
    "drip",  # takes it, and answers a character at a time
    "slow",  # takes it, and answers late
    "huge",  # answers 500 with a body that never ends
    "redirect",  # answers 302, to a private address
    "reset",  # takes nothing and resets the connection
    "echo",  # answers 500 with what it was sent, the headers included
]

DRIP_S = 0.2
"""Between two characters of an answer that drips."""


@dataclass(frozen=True)
class ReceiverFault:
    """A fault.

    Parameters
    ----------
    kind
        Which.
    at_request
        The request or mail that it strikes, from 0, refused ones included.
    amount
        Seconds, where the kind needs them.
    """

    kind: ReceiverFaultKind
    at_request: int
    amount: float = 1.0
