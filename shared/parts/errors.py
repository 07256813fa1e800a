"""What goes wrong with an embedded part, as sentences for the person at the terminal."""

from __future__ import annotations

from pathlib import Path


class PartError(Exception):
    """An embedded part cannot do what it was asked.

    `what` failed, `where`, `why`, and the `next_step` a person can take; `str()` joins them.
    """

    def __init__(self, what: str, *, where: str | Path = "", why: str, next_step: str = "") -> None:
        self.what = what
        self.where = str(where)
        self.why = why.rstrip(". \n")
        self.next_step = next_step
        place = f" ({self.where})" if self.where else ""
        sentence = f"{what}{place}: {self.why}."
        super().__init__(f"{sentence} {next_step}".rstrip())


def tail(path: Path, lines: int = 6, size: int = 8192) -> str:
    """Return the last lines of a log file, joined by ' | '; empty when there is none."""
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - size))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])
