"""One message of the topic `alerter-checkpoints`: its key and its value.

The topic is compacted, and a partition of it belongs to the partition of `anomalies` of the same number. The
key is a symbol, UTF-8. The value is, byte by byte:

- 0 to 2: `TWA`
- 3: the version of this format, 1
- from 4: the symbol's alerts, as `services.alerter.deciding.state.SymbolAlerts.save` writes them. They name
  their rules and keep their quiet times, so they count whatever the rules file says now.
"""

MAGIC = b"TWA"
VERSION = 1


def encode(state: bytes) -> bytes:
    """Return a message's value."""
    return MAGIC + bytes([VERSION]) + state


def decode(value: bytes) -> bytes:
    """Return the state in a message's value.

    Raises
    ------
    ValueError
        It is not of this format and version.
    """
    if value[: len(MAGIC)] != MAGIC or len(value) == len(MAGIC):
        raise ValueError("it does not begin as a checkpoint does")
    if value[len(MAGIC)] != VERSION:
        raise ValueError(f"it has version {value[len(MAGIC)]}, not {VERSION}")
    return value[len(MAGIC) + 1 :]
