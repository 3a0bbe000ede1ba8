"""The one error that Tapewatch shows to a person: what is wrong, and how to mend it."""


class TapewatchError(Exception):
    """An expected failure that a person can mend.

    Parameters
    ----------
    cause
        What is wrong, as a full sentence that names the file, port, setting or host.
    mend
        What to do about it, as a full sentence; a command where there is one.
    """

    def __init__(self, cause: str, mend: str) -> None:
        super().__init__(f"{cause} {mend}")
        self.cause = cause
        self.mend = mend
