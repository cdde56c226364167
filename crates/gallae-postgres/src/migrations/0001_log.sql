-- Times are microseconds since the Unix epoch. Names sort by their bytes, whatever the database's locale.
-- A correlation id is 16 bytes when it is a UUID in its usual form, and otherwise a zero byte and its text.

-- The counter that orders everything: positions without gaps, and a number that every transaction of appends moves on. Whoever
-- moves it from the number that he knows has missed nothing. Nearly empty pages keep its updates off the index.
CREATE TABLE @.head (
    only_row smallint PRIMARY KEY CHECK (only_row = 1),
    store_id uuid NOT NULL,
    position bigint NOT NULL,
    batch    bigint NOT NULL,
    -- Counts the sessions that have come to write.
    epoch    bigint NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
INSERT INTO @.head VALUES (1, pg_catalog.gen_random_uuid(), 0, 0, 0);

CREATE TABLE @.events (
    position       bigint NOT NULL,
    version        bigint NOT NULL,
    time           bigint NOT NULL,
    id             uuid NOT NULL,
    schema_version integer NOT NULL,
    stream         text COLLATE "C" NOT NULL,
    event_type     text COLLATE "C" NOT NULL,
    correlation    bytea NOT NULL,
    metadata       bytea NOT NULL,
    payload        bytea NOT NULL,
    CONSTRAINT events_by_position PRIMARY KEY (position),
    CONSTRAINT events_by_stream UNIQUE (stream, version)
);
CREATE INDEX events_by_correlation ON @.events (correlation);

CREATE TABLE @.idempotency (
    key            text COLLATE "C" NOT NULL,
    fingerprint    text NOT NULL,
    response       bytea NOT NULL,
    expires_at     bigint NOT NULL,
    -- Where the batch's events begin: recognises the retry of an unknown outcome.
    first_position bigint,
    CONSTRAINT idempotency_by_key PRIMARY KEY (key)
);
CREATE INDEX idempotency_by_expiry ON @.idempotency (expires_at);

CREATE TABLE @.claims (
    key        text COLLATE "C" NOT NULL,
    owner      text NOT NULL,
    expires_at bigint,
    CONSTRAINT claims_by_key PRIMARY KEY (key)
);
CREATE INDEX claims_by_expiry ON @.claims (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE @.inbox (
    consumer   text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    applied_at bigint NOT NULL,
    CONSTRAINT inbox_by_message PRIMARY KEY (consumer, message_id)
);
CREATE INDEX inbox_by_age ON @.inbox (applied_at);

-- What changes with every step (status, updated_at) is in no index, so that a step touches the row's page alone. `ended` is the
-- status of an instance that will not move again.
CREATE TABLE @.sagas (
    id                 uuid NOT NULL,
    definition         text COLLATE "C" NOT NULL,
    definition_version integer NOT NULL,
    definition_hash    text NOT NULL,
    business_key       text COLLATE "C" NOT NULL,
    status             text NOT NULL,
    ended              text,
    cause              text,
    step               text,
    reason             text,
    version            bigint NOT NULL,
    partition          integer NOT NULL,
    epoch              bigint NOT NULL,
    next_due           bigint,
    deadline           bigint,
    correlation        text COLLATE "C" NOT NULL,
    "user"             uuid,
    started_at         bigint NOT NULL,
    updated_at         bigint NOT NULL,
    CONSTRAINT sagas_by_id PRIMARY KEY (id),
    CONSTRAINT sagas_by_business_key UNIQUE (definition, business_key)
) WITH (fillfactor = 70);
CREATE INDEX sagas_by_start ON @.sagas (started_at);
CREATE INDEX sagas_by_end ON @.sagas (ended, started_at);
CREATE INDEX sagas_by_correlation ON @.sagas (correlation);

-- Rows come and go: vacuumed often, so that the scan for what is due stays short.
CREATE TABLE @.timers (
    saga       uuid NOT NULL,
    timer      text COLLATE "C" NOT NULL,
    partition  integer NOT NULL,
    kind       text NOT NULL,
    fire_at    bigint NOT NULL,
    fail_count integer NOT NULL,
    CONSTRAINT timers_by_saga PRIMARY KEY (saga, timer)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX timers_by_time ON @.timers (fire_at);

-- The number keeps the order of first dispatch.
CREATE TABLE @.effects (
    number        bigint GENERATED ALWAYS AS IDENTITY,
    saga          uuid NOT NULL,
    key           text COLLATE "C" NOT NULL,
    step          text NOT NULL,
    direction     text NOT NULL,
    request_hash  text NOT NULL,
    state         text NOT NULL,
    first_sent_at bigint NOT NULL,
    attempts      integer NOT NULL,
    response      text,
    epoch         bigint NOT NULL,
    CONSTRAINT effects_by_key PRIMARY KEY (saga, key)
) WITH (fillfactor = 80);

CREATE TABLE @.snapshots (
    stream   text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    version  bigint NOT NULL,
    state    bytea NOT NULL,
    PRIMARY KEY (stream, revision)
);

CREATE TABLE @.leases (
    name       text COLLATE "C" PRIMARY KEY,
    owner      text NOT NULL,
    epoch      bigint NOT NULL,
    held_until bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE @.cursors (
    name     text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    epoch    bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE @.dead_letters (
    projection text COLLATE "C" NOT NULL,
    position   bigint NOT NULL,
    view_key   text COLLATE "C" NOT NULL,
    event_type text NOT NULL,
    error      text NOT NULL,
    attempts   bigint NOT NULL,
    parked_at  bigint NOT NULL,
    PRIMARY KEY (projection, position)
);
CREATE INDEX dead_letters_by_key ON @.dead_letters (projection, view_key, position);

CREATE TABLE @.credentials (
    "user"        uuid PRIMARY KEY,
    login         text COLLATE "C" NOT NULL CONSTRAINT credentials_by_login UNIQUE,
    password_hash text NOT NULL,
    failures      bigint NOT NULL,
    locked_until  bigint
);

CREATE TABLE @.refresh_tokens (
    hash       bytea PRIMARY KEY,
    family     uuid NOT NULL,
    "user"     uuid NOT NULL,
    expires_at bigint NOT NULL,
    used_at    bigint,
    revoked    boolean NOT NULL
);
CREATE INDEX refresh_tokens_by_family ON @.refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON @.refresh_tokens ("user");
CREATE INDEX refresh_tokens_by_expiry ON @.refresh_tokens (expires_at);
