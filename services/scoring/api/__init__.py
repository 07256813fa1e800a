"""HTTP: routers and the shapes of their answers."""

from __future__ import annotations

from fastapi import APIRouter

from services.scoring.api import customers, history, lookup, operations, scores, why


def routers() -> list[APIRouter]:
    """All routes of the service."""
    return [lookup.router, customers.router, scores.router, why.router, history.router, operations.router]
