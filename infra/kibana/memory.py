"""What was imported, as the description of the tag says it that all objects bear."""

import re
from dataclasses import dataclass
from typing import Self

from infra.kibana.objects.saved_object import RECENT, SavedObject, TimeRange, tag

_COLOR = "#3f7fd8"
_TEXT = re.compile(r"Version (?P<version>\w+), opens with (?P<start>\S+) to (?P<end>\S+)")


@dataclass(frozen=True)
class Memory:
    """Which version of the objects was imported as a whole, and what they open with.

    Parameters
    ----------
    version
        None if it is not known, as of objects of before there was a tag.
    times
        The time range that was written last; another one that is found was chosen by a person.
    """

    version: str | None = None
    times: TimeRange = RECENT

    @classmethod
    def of(cls, description: str) -> Self:
        """Read a tag's description; one that a person wrote says nothing."""
        found = _TEXT.fullmatch(description)
        if not found:
            return cls()
        version = None if found["version"] == "unknown" else found["version"]
        return cls(version, TimeRange(found["start"], found["end"]))

    def as_tag(self) -> SavedObject:
        """Return the tag that says it; Kibana's own form allows a description of 100 characters."""
        opens = f"{self.times.start} to {self.times.end}"
        return tag(f"Version {self.version or 'unknown'}, opens with {opens}", _COLOR)
