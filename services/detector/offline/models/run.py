"""`tapewatch models`: what models there are, what is known of them, and which one is meant by an alias."""

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.common.errors import TapewatchError
from services.detector.models.folder import CARD, MANIFEST, manifest_in, read_stored, scores_digest
from services.detector.models.manifest import Alias, Manifest, Metric
from services.detector.models.registry import ModelRegistry
from services.detector.offline.models.store import set_alias


def run_list(folder: Path) -> int:
    """Print all models, the newest of each name first; a damaged one is named as that."""
    registry = ModelRegistry(folder)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    table.add_column("kind", overflow="fold")
    table.add_column("trained (UTC)", overflow="fold")
    table.add_column("trades", justify="right")
    table.add_column("average precision", justify="right", overflow="fold")
    table.add_column("alias", overflow="fold")
    rows: list[tuple[str, str, tuple[str, ...]]] = []
    for name in registry.names():
        aliases = registry.aliases(name)
        for digest in registry.digests(name):
            of_it = ", ".join(alias for alias, one in aliases.items() if one == digest)
            try:
                manifest = manifest_in(folder / name / digest)
            except ValueError as error:
                rows.append((name, "", (f"{name}@{digest[:12]}", f"damaged: {error}", "", "", "", of_it)))
                continue
            rows.append((name, manifest.trained_at, _row(manifest, of_it)))
    console = Console()
    if not rows:
        console.print(Text(f"No model in {folder}. Train one: tapewatch train."))
        return 0
    rows.sort(key=lambda row: row[1], reverse=True)
    rows.sort(key=lambda row: row[0])
    for _, _, cells in rows:
        table.add_row(*map(Text, cells))
    console.print(table)
    return 0


def run_show(folder: Path, reference: str, as_json: bool) -> int:
    """Print a model's card, or its manifest as JSON.

    Raises
    ------
    TapewatchError
        There is no such model, or it cannot be read.
    """
    path = ModelRegistry(folder).find(reference) / (MANIFEST if as_json else CARD)
    try:
        print(path.read_text(encoding="utf-8"), end="")
    except (OSError, UnicodeDecodeError) as error:
        raise TapewatchError(f"{path} cannot be read: {error}.", "Fetch the model again.") from error
    return 0


def run_promote(folder: Path, reference: str, alias: Alias) -> int:
    """Let an alias stand for a model, which is verified first.

    Raises
    ------
    TapewatchError
        There is no such model, or it is refused.
    """
    registry = ModelRegistry(folder)
    path = registry.find(reference)
    _verified(path)
    name = path.parent.name
    before = set_alias(registry, name, alias, path.name)
    was = "" if before is None or before == path.name else f", instead of {before[:12]}"
    print(f"{name}@{alias} is {path.name[:12]} now{was}.")
    return 0


def run_verify(folder: Path, reference: str | None) -> int:
    """Check a model, or all: content against digest, features, and scores to the last bit.

    Returns
    -------
    int
        0 if all are as they were when they were trained, else 1.

    Raises
    ------
    TapewatchError
        There is no such model.
    """
    registry = ModelRegistry(folder)
    if reference is None:
        paths = [folder / name / digest for name in registry.names() for digest in registry.digests(name)]
    else:
        paths = [registry.find(reference)]
    failed = 0
    for path in paths:
        try:
            _verified(path)
        except TapewatchError as error:
            failed += 1
            print(f"✗ {error.cause}")
        else:
            print(f"✓ {path.parent.name}@{path.name[:12]}")
    if not paths:
        print(f"No model in {folder}.")
    return 1 if failed else 0


def _verified(path: Path) -> None:
    manifest, model = read_stored(path)
    if scores_digest(model, manifest.features, manifest.scaling) != manifest.scores_digest:
        raise TapewatchError(
            f"The model {path.parent.name}@{path.name[:12]} has other scores here than where it was trained.",
            "Use the versions of its manifest (tapewatch models show --json), or train it here.",
        )


def _row(manifest: Manifest, aliases: str) -> tuple[str, ...]:
    return (
        f"{manifest.name}@{manifest.digest[:12]}",
        manifest.kind,
        manifest.trained_at[:16].replace("T", " "),
        f"{manifest.rows:,}",
        _average_precision(manifest).text(),
        aliases,
    )


def _average_precision(manifest: Manifest) -> Metric:
    """Return that of the first origin of labels."""
    found = (one for name, one in manifest.metrics.items() if name.endswith(".average_precision"))
    return next(found, Metric(None, None, None))
