"""What a customer's rows keep, so that a batch reads the episodes it touches and not all of them.

`kept` is the version whose batch also stored the folds of all settled episodes (`episode.fold`) and whose
event last named the account. Only where it equals `version` may they be gone on from: rows of a program that
knew nothing of it, and of any other writer, are folded from the whole past once.
"""

from __future__ import annotations

from shared.db.migrate import execute

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute(
        """ALTER TABLE scoring.customer ADD COLUMN kept bigint NOT NULL DEFAULT -1,
        ADD COLUMN account_at bigint, ADD COLUMN account_event uuid"""
    )


def downgrade() -> None:
    execute(
        "ALTER TABLE scoring.customer DROP COLUMN kept, DROP COLUMN account_at, DROP COLUMN account_event"
    )
