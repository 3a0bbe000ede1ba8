"""`make scale`: 39 million trades, thousands of symbols, and a market's open, in about twenty minutes.

    python -m benchmarks.scale.run [--only PART] [--days N]

Prints tables for docs/performance.md; progress goes to stderr. It writes some 10 GB into the folder for
temporary files, TMPDIR, and removes them at its end.
"""

import argparse
import os
import signal
import sys
from dataclasses import replace

from benchmarks.pipeline import print_table
from benchmarks.scale.measuring import PARTS, measure_parts
from benchmarks.scale.sizes import FULL
from benchmarks.surroundings import note
from services.common.errors import TapewatchError


def main() -> int:
    """Run the chosen parts; see `--help`.

    Returns
    -------
    int
        Exit code: 1 if a part could not be run, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="make scale", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--only",
        action="append",
        choices=list(PARTS),
        metavar="PART",
        help=f"run this part, of {', '.join(PARTS)}; may be given several times",
    )
    parser.add_argument("--days", type=int, help=f"days that are streamed after the first one; {FULL.days}")
    chosen = parser.parse_args()
    if chosen.days is not None and chosen.days < 1:
        parser.error("--days must be 1 at least")
    size = FULL if chosen.days is None else replace(FULL, days=chosen.days)
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    # A SIGTERM ends the servers in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    failed = False
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for name in chosen.only or list(PARTS):
        try:
            for table in measure_parts([name], size):
                print_table(table)
        except TapewatchError as error:
            note(f"{name}: {error.cause} {error.hint}")
            failed = True
        except KeyboardInterrupt:
            note("stopped")
            return 130
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
