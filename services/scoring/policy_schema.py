"""Writes `policies/schema.json`: `python -m services.scoring.policy_schema`."""

from __future__ import annotations

import json
from typing import Final

from services.scoring.policy_documents import schema
from services.scoring.policy_files import SHIPPED

SCHEMA: Final = SHIPPED.parent / "schema.json"


def text() -> str:
    """JSON schema of policy, personas and regions files, for editors and for reviews."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), "utf-8")
