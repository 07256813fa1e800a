"""What the first page of a list saw, kept as long as its cursors live."""

from __future__ import annotations

from shared.db.migrate import execute

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Unlogged: a crash of the database ends cursors, and nothing else."""
    execute(
        """CREATE UNLOGGED TABLE scoring.list_pin (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        ids uuid[] NOT NULL,
        last_key bigint NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX list_pin_made_at ON scoring.list_pin (made_at)"""
    )


def downgrade() -> None:
    execute("DROP TABLE scoring.list_pin")
