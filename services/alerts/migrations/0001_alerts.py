"""Customers as alerts remembers them, rules, councils, endpoints, alerts, deliveries."""

from shared.db.migrate import execute
from shared.db.outbox import OUTBOX_DDL

revision = "alerts_0001"
down_revision = None


def upgrade() -> None:
    execute(
        """
        CREATE TABLE alerts.customer (
            id text PRIMARY KEY,
            version bigint NOT NULL DEFAULT -1,
            merged_into text,
            value bigint,
            currency text,
            body bytea,
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE alerts.customer IS 'a customer or an account; body: newest message, track, words';
        CREATE INDEX customer_value ON alerts.customer (currency, value) WHERE value IS NOT NULL;
        CREATE INDEX customer_merged ON alerts.customer (merged_into) WHERE merged_into IS NOT NULL;

        CREATE TABLE alerts.rule_state (
            customer text NOT NULL REFERENCES alerts.customer ON DELETE CASCADE,
            rule text NOT NULL,
            body bytea NOT NULL,
            next_at bigint,
            PRIMARY KEY (customer, rule)
        );
        COMMENT ON COLUMN alerts.rule_state.next_at IS 'microseconds since 1970';
        CREATE INDEX rule_state_due ON alerts.rule_state (next_at) WHERE next_at IS NOT NULL;

        CREATE TABLE alerts.rule (
            id text PRIMARY KEY,
            body jsonb NOT NULL,
            shipped boolean NOT NULL DEFAULT false,
            changed boolean NOT NULL DEFAULT false,
            deleted_at timestamptz,
            position int NOT NULL DEFAULT 1000,
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON COLUMN alerts.rule.changed IS 'a shipped rule that people changed is never overwritten';

        CREATE TABLE alerts.council (
            id text PRIMARY KEY,
            body jsonb NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        INSERT INTO alerts.council (id, body)
        VALUES ('default', '{"name": "Everybody else", "sponsor": null, "members": [], "scope": {}}');

        CREATE TABLE alerts.endpoint (
            id text PRIMARY KEY,
            kind text NOT NULL CHECK (kind IN ('webhook', 'email', 'notify')),
            target bytea NOT NULL,
            councils text[] NOT NULL DEFAULT '{}',
            detail text NOT NULL DEFAULT 'full' CHECK (detail IN ('full', 'reference')),
            secret bytea,
            previous_secret bytea,
            previous_until timestamptz,
            enabled boolean NOT NULL DEFAULT true,
            disabled_reason text,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON COLUMN alerts.endpoint.target IS 'address, encrypted: it often holds a token';

        CREATE TABLE alerts.alert (
            id text PRIMARY KEY,
            subject text NOT NULL,
            customer_id text,
            account_id text,
            council text NOT NULL,
            driver text NOT NULL,
            rules text[] NOT NULL,
            severity text NOT NULL,
            state text NOT NULL,
            owner text,
            live boolean NOT NULL,
            version bigint NOT NULL,
            opened_at bigint NOT NULL,
            next_at bigint,
            body bytea NOT NULL
        );
        CREATE UNIQUE INDEX alert_one_live ON alerts.alert (subject, driver) WHERE live;
        CREATE INDEX alert_subject ON alerts.alert (subject);
        CREATE INDEX alert_due ON alerts.alert (next_at) WHERE next_at IS NOT NULL;
        CREATE INDEX alert_newest ON alerts.alert (opened_at DESC, id DESC);

        CREATE TABLE alerts.delivery (
            id text PRIMARY KEY,
            number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
            lane text NOT NULL,
            recipient bytea,
            alert text,
            version bigint NOT NULL,
            what text NOT NULL,
            body bytea NOT NULL,
            state text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'cancelled')),
            step int NOT NULL DEFAULT 0,
            attempts jsonb NOT NULL DEFAULT '[]',
            next_at timestamptz NOT NULL DEFAULT now(),
            leased_until timestamptz,
            lease uuid,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON COLUMN alerts.delivery.lane IS 'the endpoint, or direct for mail to one person';
        COMMENT ON COLUMN alerts.delivery.step IS 'attempts of the present run of the schedule';
        CREATE INDEX delivery_due ON alerts.delivery (lane, next_at) WHERE state = 'pending';
        CREATE INDEX delivery_alert ON alerts.delivery (alert, number);

        CREATE TABLE alerts.progress (
            topic text NOT NULL,
            partition int NOT NULL,
            next_offset bigint NOT NULL,
            PRIMARY KEY (topic, partition)
        );

        CREATE TABLE alerts.rejected (
            topic text NOT NULL,
            partition int NOT NULL,
            "offset" bigint NOT NULL,
            reasons text[] NOT NULL,
            body bytea NOT NULL,
            rejected_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (topic, partition, "offset")
        );
        """
    )
    execute(OUTBOX_DDL("alerts"))
