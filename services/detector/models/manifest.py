"""What is known of a trained model: its inputs, where it came from, and what was measured of it."""

from enum import StrEnum

import msgspec
import orjson

FORMAT = 2
"""Version of the manifest; a reader refuses others."""

TAIL_SHARE = 0.003
"""Share of ordinary trades whose raw output is in the tail."""


class Alias(StrEnum):
    """A name that moves from model to model."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class Ordinary(msgspec.Struct, frozen=True):
    """What ordinary trades of a day that a model has not learnt from score; where a tail of them begins.

    Parameters
    ----------
    middle
        Median of their raw outputs.
    threshold
        What `TAIL_SHARE` of them are beyond; above the median.
    excess
        By how much these are beyond it, in the mean; above 0.
    """

    middle: float = 0.0
    threshold: float = 1.0
    excess: float = 1.0


class Scaling(msgspec.Struct, frozen=True):
    """How a model's raw output becomes a probability; empty lists leave it as it is.

    Parameters
    ----------
    raw, probability
        Points of a rising curve, straight in between and flat beyond its ends.
    center, scale
        By feature: what is subtracted from it, and what it is divided by, before the model sees it.
    ordinary
        How far from ordinary a raw output is.
    """

    raw: list[float] = []
    probability: list[float] = []
    center: list[float] = []
    scale: list[float] = []
    ordinary: Ordinary = Ordinary()


class Spread(msgspec.Struct, frozen=True):
    """How a feature is spread over ordinary trades of the training days.

    Parameters
    ----------
    edges
        Rising; a part ends with its edge, and the last one has none.
    shares
        Share of the trades in each part, and last of those of which it is not defined; they add up to 1.
    """

    edges: list[float]
    shares: list[float]


class DataFile(msgspec.Struct, frozen=True):
    """Trades that a model has seen."""

    name: str
    digest: str
    """`Source.identity`: of a file that of its content."""


class LabelCount(msgspec.Struct, frozen=True):
    """How many labels of one origin a model has learnt from."""

    origin: str
    weight: float
    """Of one anomaly; an ordinary trade has 1."""
    anomalies: int
    trades: int
    """Trades of these anomalies, and others known not to be any."""


class Metric(msgspec.Struct, frozen=True):
    """A figure of days that a model has not seen."""

    mean: float | None
    low: float | None
    """Of the interval over days, 95 %; None of fewer than two days."""
    high: float | None

    def text(self, decimals: int = 3) -> str:
        """Write it for people, with its interval where it has one; `-` where nothing was measured."""
        if self.mean is None:
            return "-"
        mean = f"{self.mean:.{decimals}f}"
        if self.low is None or self.high is None:
            return mean
        return f"{mean} ({self.low:.{decimals}f} to {self.high:.{decimals}f})"


class Manifest(msgspec.Struct, frozen=True):
    """All about a trained model but its bytes."""

    format: int
    name: str
    kind: str
    """A key of `kinds.MODEL_KINDS`."""
    digest: str
    """`digest.content_digest`, 64 hex digits; the folder's name."""
    features: list[str]
    scaling: Scaling
    features_digest: str
    """`sample.features_digest` when it was trained."""
    scores_digest: str
    """SHA-256 of its probabilities of the fixed sample."""
    spread: list[Spread]
    """Of each feature; what drift is measured against."""
    data: list[DataFile]
    days: dict[str, list[str]]
    """Sessions by use: `train`, `stop` (early stopping and calibration), `test`."""
    labels: list[LabelCount]
    rows: int
    """Trades that it was trained on."""
    seed: int
    threads: int
    """While training; another number adds in another order, and may give other bytes."""
    settings: dict[str, float | int | str]
    """Of the training program."""
    rounds: int
    true_rate: float
    """Share of anomalies that its probabilities are corrected for."""
    profile: str
    """Hash of the profile whose parameters the calibrated measures had."""
    lock: str
    """SHA-256 of `requirements.lock`; empty where there is none."""
    versions: dict[str, str]
    metrics: dict[str, Metric]
    parent: str | None
    """Digest of the champion when it was trained."""
    trained_at: str
    """ISO 8601 UTC; not part of the digest."""
    command: str
    """How to make it again."""


class _Format(msgspec.Struct):
    """What a manifest of any format has."""

    format: int


def manifest_json(manifest: Manifest) -> bytes:
    """Write a manifest for people and programs."""
    return orjson.dumps(msgspec.to_builtins(manifest), option=orjson.OPT_INDENT_2) + b"\n"


def read_manifest(text: bytes) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ValueError
        It is not one, or of another format; the message says why.
    """
    try:
        written = msgspec.json.decode(text, type=_Format).format
        if written != FORMAT:
            raise ValueError(f"its manifest has format {written}, and this version reads {FORMAT}")
        found = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"its manifest cannot be read: {error}") from error
    if len(found.spread) != len(found.features):
        raise ValueError(
            f"its manifest has {len(found.features)} features, and spreads of {len(found.spread)}"
        )
    return found
