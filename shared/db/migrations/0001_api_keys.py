"""API keys and kept answers of idempotent requests."""

from shared.db.migrate import execute

revision = "cxloop_0001"
down_revision = None


def upgrade() -> None:
    execute(
        """
        CREATE TABLE cxloop.api_key (
            id text PRIMARY KEY,
            digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
            name text NOT NULL,
            scopes text[] NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            revoked_at timestamptz
        );
        COMMENT ON COLUMN cxloop.api_key.digest IS 'SHA-256 of the key';

        CREATE TABLE cxloop.idempotency (
            id bytea PRIMARY KEY,
            request bytea NOT NULL,
            started_at timestamptz NOT NULL DEFAULT now(),
            answer bytea
        );
        COMMENT ON COLUMN cxloop.idempotency.answer IS 'encrypted; null while the first request runs';
        CREATE INDEX idempotency_started_at ON cxloop.idempotency (started_at);
        """
    )
