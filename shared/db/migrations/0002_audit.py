"""Who changed what: one row per management call, which nobody changes afterwards."""

from shared.db.migrate import execute

revision = "cxloop_0002"
down_revision = "cxloop_0001"


def upgrade() -> None:
    execute(
        """
        CREATE TABLE cxloop.audit (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            service text NOT NULL,
            key_id text,
            key_name text,
            method text NOT NULL,
            route text NOT NULL,
            object text,
            status smallint,
            trace text
        );
        COMMENT ON COLUMN cxloop.audit.key_id IS 'null: no valid key, or the command line';
        COMMENT ON COLUMN cxloop.audit.route IS 'the template, never an address';
        COMMENT ON COLUMN cxloop.audit.status IS 'null: began, and its end was never told';
        CREATE INDEX audit_at ON cxloop.audit (at);
        CREATE INDEX audit_key ON cxloop.audit (key_id, id);

        -- Against mistakes and injected statements; the owner of the table is bound by backups only.
        CREATE FUNCTION cxloop.audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' THEN
                IF OLD.status IS NULL AND NEW.status IS NOT NULL
                   AND (OLD.object IS NULL OR NEW.object = OLD.object)
                   AND to_jsonb(NEW) - 'status' - 'object' = to_jsonb(OLD) - 'status' - 'object' THEN
                    RETURN NEW;
                END IF;
            ELSIF TG_OP = 'DELETE' AND OLD.at < clock_timestamp() - interval '30 days' THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'cxloop.audit is append-only' USING ERRCODE = 'insufficient_privilege';
        END $$;
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON cxloop.audit
            FOR EACH ROW EXECUTE FUNCTION cxloop.audit_is_append_only();
        CREATE TRIGGER never_emptied BEFORE TRUNCATE ON cxloop.audit
            FOR EACH STATEMENT EXECUTE FUNCTION cxloop.audit_is_append_only();
        """
    )
