-- Ids of the platform are 16-byte blobs, times are microseconds since the Unix epoch.
-- A correlation id is 16 bytes when it is a UUID in its usual form, and text otherwise.

CREATE TABLE store (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    id         BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    probed_at  INTEGER NOT NULL
) STRICT;

-- Where a stream stands is said by its last event alone.
CREATE TABLE streams (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE event_types (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    UNIQUE (name, schema_version)
) STRICT;

CREATE TABLE events (
    position    INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    event_type  INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    id          BLOB NOT NULL,
    correlation ANY NOT NULL,
    -- 0 only when the event before it in its stream belongs to the same flow.
    begins_flow INTEGER NOT NULL,
    metadata    BLOB NOT NULL,
    payload     BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_stream ON events (stream, version);
CREATE INDEX events_by_flow ON events (correlation) WHERE begins_flow = 1;

CREATE TABLE idempotency (
    number         INTEGER PRIMARY KEY,
    key            TEXT NOT NULL UNIQUE,
    fingerprint    TEXT NOT NULL,
    response       BLOB NOT NULL,
    expires_at     INTEGER NOT NULL,
    -- Where the batch's events begin: recognises the retry of an unknown outcome.
    first_position INTEGER
) STRICT;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

CREATE TABLE claims (
    key        TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_expiry ON claims (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE inbox (
    consumer   TEXT NOT NULL,
    message_id TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (consumer, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_by_age ON inbox (applied_at);

CREATE TABLE sagas (
    number             INTEGER PRIMARY KEY,
    id                 BLOB NOT NULL UNIQUE,
    definition         TEXT NOT NULL,
    definition_version INTEGER NOT NULL,
    definition_hash    TEXT NOT NULL,
    business_key       TEXT NOT NULL,
    status             TEXT NOT NULL,
    cause              TEXT,
    step               TEXT,
    reason             TEXT,
    version            INTEGER NOT NULL,
    partition          INTEGER NOT NULL,
    epoch              INTEGER NOT NULL,
    next_due           INTEGER,
    deadline           INTEGER,
    correlation        ANY NOT NULL,
    user               BLOB,
    started_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    UNIQUE (definition, business_key)
) STRICT;
CREATE INDEX sagas_by_start ON sagas (started_at);
CREATE INDEX sagas_by_status ON sagas (status, definition, updated_at);
CREATE INDEX sagas_by_correlation ON sagas (correlation);

CREATE TABLE timers (
    saga       BLOB NOT NULL,
    timer      TEXT NOT NULL,
    partition  INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    fire_at    INTEGER NOT NULL,
    fail_count INTEGER NOT NULL,
    PRIMARY KEY (saga, timer)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_by_time ON timers (fire_at);

-- The number keeps the order of first dispatch.
CREATE TABLE effects (
    number        INTEGER PRIMARY KEY,
    saga          BLOB NOT NULL,
    key           TEXT NOT NULL,
    step          TEXT NOT NULL,
    direction     TEXT NOT NULL,
    request_hash  TEXT NOT NULL,
    state         TEXT NOT NULL,
    first_sent_at INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    response      TEXT,
    epoch         INTEGER NOT NULL,
    UNIQUE (saga, key)
) STRICT;

CREATE TABLE snapshots (
    stream   TEXT NOT NULL,
    revision INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    state    BLOB NOT NULL,
    PRIMARY KEY (stream, revision)
) STRICT;

CREATE TABLE leases (
    name  TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    epoch    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
    projection TEXT NOT NULL,
    position   INTEGER NOT NULL,
    view_key   TEXT NOT NULL,
    event_type TEXT NOT NULL,
    error      TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    parked_at  INTEGER NOT NULL,
    PRIMARY KEY (projection, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_key ON dead_letters (projection, view_key, position);

CREATE TABLE credentials (
    user          BLOB PRIMARY KEY,
    login         TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    failures      INTEGER NOT NULL,
    locked_until  INTEGER
) STRICT;

CREATE TABLE refresh_tokens (
    hash       BLOB PRIMARY KEY,
    family     BLOB NOT NULL,
    user       BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    revoked    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
