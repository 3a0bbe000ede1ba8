"""`python -m tests.mutants [NAME…]`: breaks the detector in every known way, and prints what noticed it."""

import logging
import sys
from dataclasses import dataclass

import structlog

from services.contracts.detectors import DETECTORS
from tests.mutants.base import Mutant
from tests.mutants.registry import HARMLESS, MUTANTS
from tests.mutants.rig import IN_TIME_S, Red, Setup, run


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    mutant: Mutant
    red: Red | None


def table(rows: list[Row]) -> str:
    """Return the table as docs/trust.md has it."""
    lines = ["| mutant | what is broken | noticed by | after |", "|---|---|---|---|"]
    for row in rows:
        check = row.red.check if row.red else ""
        title = DETECTORS[check].title if check in DETECTORS else check
        after = f"{row.red.after_s / 60:.1f} min" if row.red else "never"
        lines.append(f"| `{row.mutant.name}` | {row.mutant.what} | {title} | {after} |")
    return "\n".join(lines)


def harmless_table() -> str:
    """Return the list of harmless changes as docs/trust.md has it."""
    lines = ["| name | harmless change |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{change.name}` | {change.what} |" for change in HARMLESS.values())])


def main(names: list[str]) -> int:
    """Run mutants and harmless changes, all or some by name; returns 1 if one is not as it should be."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    rows: list[Row] = []
    missed = 0
    for mutant in (one for name, one in MUTANTS.items() if not names or name in names):
        red = run(mutant.setup(Setup()), mutant.patch, awaited=mutant.check).red
        rows.append(Row(mutant, red))
        missed += red is None or red.after_s > IN_TIME_S
        print(mutant.name, red, file=sys.stderr, flush=True)
    taken = changes = 0
    for change in (one for name, one in HARMLESS.items() if not names or name in names):
        result = run(change.setup(Setup()))
        changes += 1
        taken += result.red is not None
        print(change.name, result.red or f"green, {len(result.fired)} fired", file=sys.stderr, flush=True)
    print(table(rows))
    print()
    print(harmless_table())
    print()
    print(
        f"{len(rows) - missed} of {len(rows)} mutants noticed, "
        f"{taken} of {changes} harmless changes taken for faults"
    )
    return int(bool(missed or taken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
