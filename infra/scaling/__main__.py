"""Prints the plan for a tape: `python -m infra.scaling --trades-a-day 20000000 --peak 100000`."""

import argparse

from infra.scaling.plan import Tape
from infra.scaling.tables import markdown


def main() -> None:
    """Print the plans of docs/scaling.md, or that of another tape."""
    parser = argparse.ArgumentParser(prog="python -m infra.scaling", description=__doc__)
    parser.add_argument("--trades-a-day", type=int, help="prints on a busy day")
    parser.add_argument("--peak", type=int, help="prints a second in the busiest minutes")
    parser.add_argument("--symbols", type=int, default=11_000, help="how many print on a day; 11000")
    given = parser.parse_args()
    if (given.trades_a_day is None) != (given.peak is None):
        parser.error("--trades-a-day and --peak go together")
    if given.peak is None:
        print(markdown())
    else:
        print(markdown((Tape("yours", given.trades_a_day, given.peak, given.symbols),)))


if __name__ == "__main__":
    main()
