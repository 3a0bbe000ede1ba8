"""Says how far a known number of steps is."""

from services.detector.offline.training.days import OnProgress


class Steps:
    """Counts steps, and rounds within one.

    Parameters
    ----------
    count
        How many there are.
    on_progress
        Called at the beginning of each, and after each round.
    """

    def __init__(self, count: int, on_progress: OnProgress) -> None:
        self._count = count
        self._on_progress = on_progress
        self._done = -1
        self._what = ""

    def begin(self, what: str) -> None:
        """Begin the next step."""
        self._done += 1
        self._what = what
        self.on_round(0, 1)

    def on_round(self, done: int, of: int) -> None:
        """Tell that so many rounds of the present step are done."""
        self._on_progress(self._what, self._done + done / of, self._count)
