-- Views, search and counters. The tables of a generation follow its shape and are made at run time.

CREATE TABLE @.projections (
    id      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text    COLLATE "C" NOT NULL UNIQUE,
    live    bigint  NOT NULL,               -- the generation that queries read
    newest  bigint  NOT NULL,               -- the highest generation ever made: none is used twice
    paused  boolean NOT NULL DEFAULT false
);

CREATE TABLE @.generations (
    projection  bigint  NOT NULL REFERENCES @.projections (id),
    generation  bigint  NOT NULL,
    revision    bigint  NOT NULL,
    shape       text    NOT NULL,               -- JSON: the declared fields and texts
    cursor      bigint  NOT NULL DEFAULT 0,
    epoch       bigint  NOT NULL DEFAULT 0,     -- the newest writer seen
    changes     bigint  NOT NULL DEFAULT 0,     -- counts up with each batch and repair: how new what is read is
    retired     boolean NOT NULL DEFAULT false, -- its tables are being dropped
    PRIMARY KEY (projection, generation)
) WITH (fillfactor = 50);                       -- the cursor changes with every batch
