"""`/v1/lookup`: who an identifier stands for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.scoring.api.access import connection
from services.scoring.api.models import LookupOut
from services.scoring.store import identities
from shared.events.identifiers import IdentifierError, normalise
from shared.runtime.auth import Scope, require
from shared.runtime.problem import Problem, Where

router = APIRouter(tags=["customers"], dependencies=[require(Scope.read)])


@router.get("/v1/lookup", response_model_exclude_none=True)
async def look_up(
    request: Request,
    identifier: Annotated[str, Query(description="scheme:value", examples=["email:ann@example.com"])],
) -> LookupOut:
    """The customer or the account that an identifier stands for today."""
    wanted = normalised(identifier, "?identifier")
    async with connection(request) as conn:
        found = await identities.lookup(conn, wanted)
    if found is None:
        raise Problem("not_found", "nobody was ever named so")
    organisation, root = found
    return LookupOut(account_id=root) if organisation else LookupOut(customer_id=root)


def normalised(identifier: str, where: str) -> str:
    """An identifier as it is compared. Raises Problem invalid_request."""
    try:
        return normalise(identifier)
    except IdentifierError as error:
        raise Problem("invalid_request", str(error), [Where(where, str(error))]) from error
