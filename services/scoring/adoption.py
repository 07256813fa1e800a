"""Which policy and model are in force: those of this process, once they are adopted in the database."""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import policy_files
from services.scoring.domain.model import day_zero
from services.scoring.engine import Engine
from services.scoring.store import policies
from shared.db.engine import driver

log = structlog.get_logger()


async def adopt(pool: AsyncEngine, file: Path | None) -> Engine:
    """Read the policy, put it in force, and hand out what scores by it.

    A policy that is new to the database gets the next generation; customers scored by an older one are
    scored anew by the sweeper, without paging anybody. Raises PolicyError.
    """
    path = file or policy_files.SHIPPED
    policy = policy_files.load(path)
    model = day_zero(policy)
    document = msgspec.json.encode({path.name: path.read_text("utf-8")})
    async with driver(pool) as conn:
        generation = await policies.adopt(conn, policy.id, model.id, policy.name, document)
    log.info("policy in force", policy=policy.id, model=model.id, generation=generation.number)
    return Engine(policy, model, generation.number)
