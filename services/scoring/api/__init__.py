"""HTTP: routers and the shapes of their answers."""

from __future__ import annotations

from fastapi import APIRouter

from services.scoring.api import lookup, scores


def routers() -> list[APIRouter]:
    """All routes of the service."""
    return [lookup.router, scores.router]
