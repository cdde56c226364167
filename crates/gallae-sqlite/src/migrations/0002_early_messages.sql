-- Messages for sagas that have not begun. The number keeps the order in which they came.
CREATE TABLE early_messages (
    number     INTEGER PRIMARY KEY,
    saga       BLOB NOT NULL,
    message_id TEXT NOT NULL,
    signal     TEXT NOT NULL,
    payload    TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (saga, message_id)
) STRICT;
CREATE INDEX early_messages_by_expiry ON early_messages (expires_at);
