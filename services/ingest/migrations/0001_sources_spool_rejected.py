"""Sources, spool and rejected deliveries."""

from shared.db.migrate import execute

revision = "ingest_0001"
down_revision = None


def upgrade() -> None:
    execute(
        """
        CREATE TABLE ingest.source (
            id text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,40}$'),
            vendor text NOT NULL,
            auth text NOT NULL,
            secrets bytea[] NOT NULL,
            defaults jsonb NOT NULL DEFAULT '{}',
            settings jsonb NOT NULL DEFAULT '{}',
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL
        );
        COMMENT ON COLUMN ingest.source.secrets IS 'encrypted; all active, newest first';

        CREATE TABLE ingest.source_generation (
            one boolean PRIMARY KEY DEFAULT true CHECK (one),
            n bigint NOT NULL
        );
        COMMENT ON TABLE ingest.source_generation IS 'one row; rises with every change of a source';
        INSERT INTO ingest.source_generation (n) VALUES (0);

        CREATE TABLE ingest.spool (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            spooled_at timestamptz NOT NULL DEFAULT now(),
            topic text NOT NULL,
            key bytea NOT NULL,
            value bytea NOT NULL,
            traceparent text
        );
        COMMENT ON TABLE ingest.spool IS 'messages that Kafka did not take in time; gone once it has them';

        CREATE TABLE ingest.rejected (
            id uuid PRIMARY KEY,
            source text NOT NULL,
            received_at timestamptz NOT NULL,
            stored_at timestamptz NOT NULL DEFAULT now(),
            told_at timestamptz NOT NULL,
            reasons bytea NOT NULL,
            body bytea NOT NULL,
            by text NOT NULL,
            request bytea,
            event_id text,
            state text NOT NULL DEFAULT 'pending',
            replayed_at timestamptz
        );
        COMMENT ON COLUMN ingest.rejected.reasons IS 'JSON list of code, where, why';
        COMMENT ON COLUMN ingest.rejected.request IS 'JSON: method, path, headers; no secrets';
        COMMENT ON COLUMN ingest.rejected.told_at IS 'an older refusal told again changes nothing';
        CREATE INDEX rejected_received_at ON ingest.rejected (received_at DESC, id DESC);
        CREATE INDEX rejected_stored_at ON ingest.rejected (stored_at);
        """
    )
