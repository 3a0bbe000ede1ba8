"""All mutants, and all harmless changes."""

from tests.mutants import engine, profiles, surroundings
from tests.mutants.base import Harmless, Mutant
from tests.mutants.harmless import HARMLESS as _HARMLESS

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant for mutant in (*profiles.MUTANTS, *engine.MUTANTS, *surroundings.MUTANTS)
}
HARMLESS: dict[str, Harmless] = {change.name: change for change in _HARMLESS}
