"""The highest health of the last days: a sliding-window maximum, kept as a falling series."""

from __future__ import annotations

from shared.events.times import DAY, Micros

Track = tuple[tuple[Micros, float], ...]
WINDOW: Micros = 7 * DAY
MAX_POINTS = 64


def follow(track: Track, at: Micros, value: float | None, shift: float) -> Track:
    """The track after a change to `value` at `at`, of which `shift` points are not the customer's doing.

    Invariant: instants rise, values fall, so the first one is the highest of the window. An unknown
    score starts the track anew. Past values move by `shift`, so that they compare with what follows.
    """
    if value is None:
        return ()
    kept = [(t, v + shift) for t, v in track if at - t <= WINDOW]
    while kept and kept[-1][1] <= value:
        kept.pop()
    kept.append((at, value))
    return tuple(kept[:1] + kept[1:][-(MAX_POINTS - 1) :])


def fall(track: Track, now: Micros, within: Micros) -> float:
    """Points from the highest of the last `within` to the newest; 0 for an empty track."""
    recent = [value for at, value in track if now - at <= within]
    newest = track[-1][1] if track else 0.0
    return max(recent, default=newest) - newest
