"""Rules: what makes an alert."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Response
from pydantic import ValidationError

from services.alerts.api.state import AppState, page_by_id
from services.alerts.rule_files import RuleDocument
from services.alerts.store import setup
from shared.runtime.auth import Scope, require
from shared.runtime.errors import reason
from shared.runtime.pagination import DEFAULT_LIMIT, Cursor, Limit, Page
from shared.runtime.problem import Problem, Where

router = APIRouter(prefix="/v1/rules", tags=["rules"])

_KINDS: Final = frozenset(
    {"level", "fall", "answer", "happened", "promise_broken", "renewal_near", "silence"}
)
_Document = Annotated[dict[str, Any], Body(description="A rule document.")]
_SCHEMA: Final = RuleDocument.model_json_schema(ref_template="#/components/schemas/{model}")
_BODY: Final = {
    "requestBody": {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RuleDocument"}}}
    }
}
_PUT_BODY: Final = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    **{k: v for k, v in _SCHEMA.items() if k != "$defs"},
                    "required": [name for name in _SCHEMA["required"] if name != "id"],
                    "title": "RuleWithoutId",
                }
            }
        }
    }
}
"""Read as an object and checked here, so that faults point to where they are; documented as what it is."""


@router.get("", summary="List rules", dependencies=[require(Scope.read)])
async def list_rules(
    state: AppState, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[RuleDocument]:
    """The shipped ones and your own."""
    async with state.reading() as connection:
        found = await setup.rules(connection)
    return page_by_id([(document.id, document) for document in found], limit, cursor)


@router.get("/{rule_id}", summary="Read a rule", dependencies=[require(Scope.read)])
async def read_rule(state: AppState, rule_id: str) -> RuleDocument:
    async with state.reading() as connection:
        found = next((d for d in await setup.rules(connection) if d.id == rule_id), None)
    if found is None:
        raise Problem("not_found", "no such rule")
    return found


@router.post(
    "", summary="Create a rule", status_code=201, dependencies=[require(Scope.admin)], openapi_extra=_BODY
)
async def create_rule(state: AppState, body: _Document) -> RuleDocument:
    document = checked(body)
    async with state.writing() as connection:
        if any(d.id == document.id for d in await setup.rules(connection)):
            raise Problem("conflict", "there is a rule of that id; PUT replaces it")
        await setup.put_rule(connection, document)
    return document


@router.put(
    "/{rule_id}",
    summary="Create or replace a rule",
    responses={201: {"model": RuleDocument, "description": "Created"}},
    dependencies=[require(Scope.admin)],
    openapi_extra=_PUT_BODY,
)
async def put_rule(state: AppState, rule_id: str, body: _Document, response: Response) -> RuleDocument:
    """Counts from the next score message on. A shipped rule that was replaced is not updated any more."""
    if body.get("id", rule_id) != rule_id:
        raise Problem("invalid_request", "/id: not the id in the address", [Where("/id", "another id")])
    document = checked(body | {"id": rule_id})
    async with state.writing() as connection:
        new = await setup.put_rule(connection, document)
    response.status_code = 201 if new else 200
    return document


@router.delete(
    "/{rule_id}",
    summary="Delete a rule",
    status_code=204,
    response_class=Response,
    dependencies=[require(Scope.admin)],
)
async def delete_rule(state: AppState, rule_id: str) -> None:
    """Open alerts of the rule stay."""
    async with state.writing() as connection:
        if not await setup.delete_rule(connection, rule_id):
            raise Problem("not_found", "no such rule")


def checked(body: dict[str, Any]) -> RuleDocument:
    """Raises Problem with every fault and where it is."""
    try:
        return RuleDocument.model_validate(body)
    except ValidationError as error:
        faults = [Where(_pointer(f["loc"]), reason(dict(f))) for f in error.errors()]
    raise Problem("invalid_request", f"{faults[0].where}: {faults[0].why}", faults)


def _pointer(loc: tuple[int | str, ...]) -> str:
    """Without the name of the kind, which the library puts between `when` and the field."""
    parts = [part for i, part in enumerate(loc) if not (i == 1 and loc[0] == "when" and part in _KINDS)]
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
