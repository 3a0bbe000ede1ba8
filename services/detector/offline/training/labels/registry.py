"""All origins of labels, and how the flag `--labels` names them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.detector.offline.training.labels.base import Origin
from services.detector.offline.training.labels.injected import Auctions, InjectedLabels
from services.detector.offline.training.labels.marked import CancelLabels, FileLabels, VerdictLabels

WEIGHTS = {"injected": 1.0, "verdicts": 20.0, "cancels": 20.0, "file": 1.0}
"""What an anomaly of each origin counts: what happened in the world is rarer, and worth more."""
FROM_INDEX = ("verdicts", "cancels")


@dataclass(frozen=True)
class LabelChoice:
    """An origin as it was asked for.

    Parameters
    ----------
    name
        A key of `WEIGHTS`.
    weight
        See `Origin`.
    path
        The file of the origin `file`.
    """

    name: str
    weight: float
    path: Path | None = None

    @property
    def needs_index(self) -> bool:
        """Whether its labels are in Elasticsearch."""
        return self.name in FROM_INDEX


def read_choices(given: Sequence[str]) -> list[LabelChoice]:
    """Read what `--labels` says: `ORIGIN` or a file, each with `=WEIGHT` behind it or not.

    Raises
    ------
    TapewatchError
        There is no such origin or file, one is named twice, or a weight is not positive.
    """
    choices: list[LabelChoice] = []
    for text in given:
        name, _, weight_text = text.partition("=") if "=" in text else (text, "", "")
        path = None if name in WEIGHTS and name != "file" else Path(name)
        if path is not None and not path.is_file():
            raise TapewatchError(
                f"There are no labels {name!r}.", "Give injected, verdicts, cancels, or a CSV file of labels."
            )
        origin = "file" if path is not None else name
        try:
            weight = float(weight_text) if weight_text else WEIGHTS[origin]
        except ValueError:
            weight = 0.0
        if not 0 < weight < float("inf"):
            raise TapewatchError(f"{text!r} has no positive weight.", "Write a number, such as verdicts=20.")
        if any(one.name == origin for one in choices):
            raise TapewatchError(f"The labels {origin} are named twice.", "Name each origin once.")
        choices.append(LabelChoice(origin, weight, path))
    return choices


def open_origins(
    choices: Sequence[LabelChoice], auctions: Auctions, seed: int, client: Elasticsearch | None
) -> list[Origin]:
    """Return the origins that were chosen.

    Parameters
    ----------
    choices
        As `read_choices` returns them.
    auctions
        As in `tapes_of`.
    seed
        Random seed of injections.
    client
        Client of the cluster; None if no origin needs the index.
    """

    def indexed(kind: Callable[[Elasticsearch, float], Origin], weight: float) -> Origin:
        if client is None:
            raise ValueError("labels of the index need a client")
        return kind(client, weight)

    made: dict[str, Callable[[LabelChoice], Origin]] = {
        "injected": lambda one: InjectedLabels(auctions, seed, one.weight),
        "verdicts": lambda one: indexed(VerdictLabels, one.weight),
        "cancels": lambda one: indexed(CancelLabels, one.weight),
        "file": lambda one: FileLabels(one.path or Path(), one.weight),
    }
    return [made[one.name](one) for one in choices]
