"""A clock that only moves when a test moves it."""


class FakeClock:
    """A clock; call it for the time in seconds."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s
