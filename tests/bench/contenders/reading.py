"""`python -m tests.bench.contenders.reading PORT`: FastAPI and one indexed select, nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import FastAPI, HTTPException, Response

SELECT = "SELECT scores FROM scoring.customer WHERE id = $1"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/v1/customers/{customer_id}/score")
async def score(customer_id: UUID) -> Any:  # noqa: ANN401
    found = await app.state.pool.fetchval(SELECT, customer_id)
    if found is None:
        raise HTTPException(404)
    return Response(found, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", log_level="warning", access_log=False
    )
