"""Events, episodes, customers, identity and the queues of scoring."""

from __future__ import annotations

from shared.db.migrate import execute
from shared.db.outbox import OUTBOX_DDL

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CLAIM_PARTS = 8

CLAIM = """
CREATE TABLE scoring.claim (
    event_id uuid PRIMARY KEY,
    recorded bigint NOT NULL,
    at bigint NOT NULL,
    outcome smallint NOT NULL,
    digest bytea,
    claimed_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY HASH (event_id)
"""

# Instants are bigint microseconds since 1970, as the domain counts; only the partition key is a timestamptz.
EVENT = """
CREATE TABLE scoring.event (
    event_id uuid NOT NULL,
    recorded timestamptz NOT NULL,
    applied_at bigint NOT NULL,
    at bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    episode uuid,
    leaf uuid,
    organisation uuid,
    about uuid,
    target uuid,
    body bytea NOT NULL,
    compound smallint,
    text_model text,
    PRIMARY KEY (event_id, recorded)
) PARTITION BY RANGE (recorded)
"""

EPISODE = """
CREATE TABLE scoring.episode (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    owner uuid,
    about uuid,
    fold bytea,
    live boolean NOT NULL DEFAULT false,
    next_at bigint
) WITH (fillfactor = 85)
"""

# One row per identity node. The row of a component's root carries the component's state and scores;
# the others point to it, so that every id that was ever handed out keeps answering.
CUSTOMER = """
CREATE TABLE scoring.customer (
    id uuid PRIMARY KEY,
    organisation boolean NOT NULL,
    born bigint NOT NULL,
    rank integer NOT NULL,
    merged_into uuid,
    account uuid,
    state bytea,
    attributes bytea,
    live uuid[] NOT NULL DEFAULT '{}',
    scores bytea,
    version bigint NOT NULL DEFAULT 0,
    generation bigint NOT NULL DEFAULT 0,
    scored_at bigint NOT NULL DEFAULT 0,
    next_at bigint,
    identifiers text[] NOT NULL DEFAULT '{}',
    name text,
    region text,
    persona text,
    owner text,
    value bigint,
    currency text,
    renewal_at text,
    health bigint,
    relationship bigint,
    risk bigint,
    bands text[] NOT NULL DEFAULT '{}',
    value_at_risk bigint
) WITH (fillfactor = 75)
"""

STATEMENTS = (
    CLAIM,
    *(
        f"CREATE TABLE scoring.claim_{part} PARTITION OF scoring.claim"
        f" FOR VALUES WITH (MODULUS {CLAIM_PARTS}, REMAINDER {part})"
        for part in range(CLAIM_PARTS)
    ),
    EVENT,
    "CREATE TABLE scoring.event_default PARTITION OF scoring.event DEFAULT",
    "CREATE INDEX event_episode ON scoring.event (episode) WHERE episode IS NOT NULL",
    "CREATE INDEX event_leaf ON scoring.event (leaf) WHERE leaf IS NOT NULL",
    "CREATE INDEX event_organisation ON scoring.event (organisation, leaf) WHERE organisation IS NOT NULL",
    "CREATE INDEX event_about ON scoring.event (about) WHERE about IS NOT NULL",
    EPISODE,
    "CREATE INDEX episode_owner ON scoring.episode (owner)",
    "CREATE INDEX episode_about ON scoring.episode (about) WHERE about IS NOT NULL",
    'CREATE TABLE scoring.identifier (identifier text COLLATE "C" PRIMARY KEY, leaf uuid NOT NULL)',
    "CREATE INDEX identifier_leaf ON scoring.identifier (leaf)",
    """CREATE TABLE scoring.link (
        event_id uuid NOT NULL, a uuid NOT NULL, b uuid NOT NULL,
        applied_at bigint NOT NULL, gone_at bigint,
        PRIMARY KEY (event_id, a, b))""",
    "CREATE INDEX link_a ON scoring.link (a)",
    "CREATE INDEX link_b ON scoring.link (b)",
    """CREATE TABLE scoring.retraction (
        event_id uuid PRIMARY KEY, target uuid NOT NULL, source text NOT NULL)""",
    "CREATE INDEX retraction_target ON scoring.retraction (target)",
    CUSTOMER,
    "CREATE INDEX customer_merged ON scoring.customer (merged_into) WHERE merged_into IS NOT NULL",
    "CREATE INDEX customer_account ON scoring.customer (account) WHERE account IS NOT NULL",
    "CREATE INDEX customer_due ON scoring.customer (next_at) WHERE next_at IS NOT NULL",
    "CREATE INDEX customer_generation ON scoring.customer (generation) WHERE merged_into IS NULL",
    "CREATE INDEX customer_by_risk ON scoring.customer ((coalesce(risk, -1)), id) WHERE merged_into IS NULL",
    "CREATE INDEX customer_by_health ON scoring.customer"
    " ((coalesce(health, 9000000000000)), id) WHERE merged_into IS NULL",
    "CREATE INDEX customer_by_value ON scoring.customer"
    " ((coalesce(value_at_risk, -1)), id) WHERE merged_into IS NULL",
    """CREATE TABLE scoring.dirty_account (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        account uuid NOT NULL, person uuid NOT NULL, news bytea NOT NULL)""",
    "CREATE INDEX dirty_account_account ON scoring.dirty_account (account, id)",
    """CREATE TABLE scoring.progress (
        topic text NOT NULL, partition integer NOT NULL, next_offset bigint NOT NULL,
        PRIMARY KEY (topic, partition))""",
    """CREATE TABLE scoring.policy (
        generation bigint PRIMARY KEY, policy text NOT NULL, model text NOT NULL,
        name text NOT NULL, document bytea NOT NULL, adopted_at timestamptz NOT NULL DEFAULT now())""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        execute(statement)
    execute(OUTBOX_DDL("scoring"))


def downgrade() -> None:
    execute("DROP SCHEMA scoring CASCADE")
