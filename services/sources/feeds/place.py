"""How far a symbol of a feed was published: its cursor."""

import msgspec


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """A symbol's cursor.

    Parameters
    ----------
    time_ns
        Tape time of the newest published print, in ns since 1970.
    number
        Where the venue numbers each symbol's prints without a gap: the number of the last published print,
        before which none is missing. Else 0.
    since_ns, ids
        Where it does not: of all published prints from this tape time to `time_ns`, the `trade_id`s.
    ahead
        Those that were stamped ahead of all others, with their tape times.
    """

    time_ns: int
    number: int = 0
    since_ns: int = 0
    ids: tuple[str, ...] = ()
    ahead: dict[str, int] = msgspec.field(default_factory=dict)
