"""OpenAPI of the two raw endpoints, which FastAPI does not see."""

from __future__ import annotations

from typing import Any, Final

_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {
            "type": "string",
            "description": "With `source` it names the event.",
        },
        "source": {"type": "string", "description": "Your tool, such as /crm; /sources/… is reserved."},
        "type": {"type": "string", "description": "cxloop.<noun>.<verb>.v1"},
        "time": {
            "type": "string",
            "format": "date-time",
            "description": "When it happened; default: now.",
        },
        "data": {
            "type": "object",
            "required": ["body"],
            "properties": {
                "identifiers": {"type": "array", "maxItems": 20, "items": {"type": "string"}},
                "account": {"type": "string"},
                "body": {"type": "object"},
            },
        },
    },
    "example": {
        "specversion": "1.0",
        "id": "42",
        "source": "/crm",
        "type": "cxloop.ticket.opened.v1",
        "time": "2026-03-01T09:30:00Z",
        "data": {
            "identifiers": ["email:ann@example.com"],
            "channel": "email",
            "body": {"interaction": "5158", "subject": "It does not start", "priority": "high"},
        },
    },
}
_COUNTS: Final[dict[str, Any]] = {
    "accepted": {"type": "integer", "description": "Events that are durable now."},
    "rejected": {"type": "integer", "description": "Elements that were not understood."},
    "ignored": {"type": "integer", "description": "Elements of no interest, such as an unknown event type."},
}
_TOLD: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["index", "where", "why"],
        "properties": {
            "index": {"type": "integer", "description": "Which event of the batch."},
            "where": {"type": "string", "description": "JSON pointer into it, or a ce- header."},
            "why": {"type": "string"},
        },
    },
}
_EVENT_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["accepted", "rejected", "ignored", "ids", "errors", "warnings"],
    "properties": {
        **_COUNTS,
        "ids": {"type": "array", "items": {"type": ["string", "null"]}, "description": "null: rejected."},
        "errors": _TOLD,
        "warnings": _TOLD,
    },
}
_WEBHOOK_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["accepted", "rejected", "ignored", "ids"],
    "properties": {**_COUNTS, "ids": {"type": "array", "items": {"type": "string"}}},
}


def _problem(why: str) -> dict[str, Any]:
    return {"description": why, "content": _PROBLEM}


_REFUSALS: Final = {
    "413": _problem("The body is larger than allowed, as sent or unpacked"),
    "415": _problem("The content type, character set or packing is not read here"),
    "503": {
        **_problem("Nothing durable could be written; send it again"),
        "headers": {"Retry-After": {"schema": {"type": "integer", "maximum": 30}}},
    },
}
_LIMITED: Final = {
    "429": {
        **_problem("More than the source, the key or the process may send; send it again"),
        "headers": {"Retry-After": {"schema": {"type": "integer", "minimum": 1, "maximum": 30}}},
    }
}
_SOURCE: Final = {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}


def _greeting(name: str, summary: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": ["deliveries"],
        "summary": summary,
        "responses": {"200": {"description": "Here is an endpoint"}},
    }


def _delivery(name: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": ["deliveries"],
        "summary": "A delivery of a configured source",
        "description": "Verified on its raw bytes by the source's vendor; POST, PUT and PATCH are alike.",
        "requestBody": {"required": True, "content": {"*/*": {"schema": {}}}},
        "responses": {
            "202": {
                "description": "Durable; what was not understood is listed under /v1/rejected",
                "content": {"application/json": {"schema": _WEBHOOK_ANSWER}},
            },
            "200": {"description": "The answer that the vendor's handshake wants"},
            "400": _problem("The body is cut short or packed wrongly"),
            "401": _problem("The signature or token does not hold"),
            "404": _problem("There is no such source"),
            **_REFUSALS,
            **_LIMITED,
        },
    }


PATHS: Final[dict[str, Any]] = {
    "/v1/events": {
        "post": {
            "operationId": "send_events",
            "tags": ["deliveries"],
            "summary": "CloudEvents of own tools: binary, structured or batch",
            "description": "At most 1 MiB, 500 events, 64 KiB of text each; every reason is told.",
            "security": [{"apiKey": ["ingest"]}],
            "parameters": [
                {
                    "name": "dry_run",
                    "in": "query",
                    "schema": {"type": "string", "enum": ["0", "1"]},
                    "description": "1: shows the canonical events and keeps nothing.",
                },
                {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "schema": {"type": "string", "maxLength": 255},
                    "description": "The same key gives the same answer for 24 hours.",
                },
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/cloudevents+json": {"schema": _EVENT},
                    "application/cloudevents-batch+json": {
                        "schema": {"type": "array", "maxItems": 500, "items": _EVENT}
                    },
                    "application/json": {
                        "schema": _EVENT["properties"]["data"],
                        "description": "Binary mode: the attributes stand in ce- headers.",
                    },
                },
            },
            "responses": {
                "202": {
                    "description": "At least one event is good, and durable",
                    "content": {"application/json": {"schema": _EVENT_ANSWER}},
                },
                "200": {"description": "dry_run: the counts and the canonical events"},
                "400": _problem("No event is good; counts, `errors` and `warnings` beside the problem"),
                "401": _problem("A valid API key is needed"),
                "403": _problem("The key lacks the scope ingest"),
                **_REFUSALS,
                **_LIMITED,
            },
        }
    },
    "/v1/webhooks/{source}": {
        "parameters": [_SOURCE],
        "post": _delivery("deliver_webhook"),
        "put": _delivery("deliver_webhook_by_put"),
        "patch": _delivery("deliver_webhook_by_patch"),
        "get": _greeting("try_webhook", "For vendors that try the address first"),
        "head": _greeting("probe_webhook", "For vendors that try the address first"),
        "options": _greeting("webhook_abuse_protection", "CloudEvents' abuse-protection handshake"),
    },
}
