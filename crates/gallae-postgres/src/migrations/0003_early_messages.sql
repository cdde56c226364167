-- Messages for sagas that have not begun. The number keeps the order in which they came.
CREATE TABLE @.early_messages (
    number     bigint GENERATED ALWAYS AS IDENTITY,
    saga       uuid NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    signal     text NOT NULL,
    payload    text NOT NULL,
    expires_at bigint NOT NULL,
    CONSTRAINT early_messages_by_saga PRIMARY KEY (saga, message_id)
);
CREATE INDEX early_messages_by_expiry ON @.early_messages (expires_at);
