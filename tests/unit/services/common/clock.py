"""A clock that stands still until a test moves it."""


class FakeClock:
    """Call it for the time in seconds."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s
