"""Who was scored by an older policy is found by index alone, whatever else has an old generation.

Leaves that were merged keep the generation 0 for ever. They outnumber all others, so the planner took it for
common, and read the whole table at each look.
"""

from __future__ import annotations

from shared.db.migrate import execute

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute(
        """CREATE INDEX customer_older ON scoring.customer (organisation, generation)
        WHERE merged_into IS NULL;
        DROP INDEX scoring.customer_generation"""
    )


def downgrade() -> None:
    execute(
        """CREATE INDEX customer_generation ON scoring.customer (generation) WHERE merged_into IS NULL;
        DROP INDEX scoring.customer_older"""
    )
