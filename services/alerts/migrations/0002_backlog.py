"""Claiming from a long backlog: by index alone, whatever the planner believes of a table that just grew."""

from shared.db.migrate import execute

revision = "alerts_0002"
down_revision = "alerts_0001"


def upgrade() -> None:
    execute(
        """
        CREATE INDEX delivery_next ON alerts.delivery (lane, next_at, number) WHERE state = 'pending';
        DROP INDEX alerts.delivery_due;
        CREATE INDEX delivery_untried ON alerts.delivery (lane, alert, version)
            WHERE state = 'pending' AND step = 0;
        """
    )


def downgrade() -> None:
    execute(
        """
        DROP INDEX alerts.delivery_untried, alerts.delivery_next;
        CREATE INDEX delivery_due ON alerts.delivery (lane, next_at) WHERE state = 'pending';
        """
    )
