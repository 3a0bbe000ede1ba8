"""The one error that Tapewatch shows to a person: what is wrong, and how to fix it."""


class TapewatchError(Exception):
    """An expected failure that a person can fix.

    Parameters
    ----------
    cause
        What is wrong, as a full sentence that names the file, port, setting or host.
    hint
        What to do about it, as a full sentence; a command where there is one.
    """

    def __init__(self, cause: str, hint: str) -> None:
        super().__init__(f"{cause} {hint}")
        self.cause = cause
        self.hint = hint
