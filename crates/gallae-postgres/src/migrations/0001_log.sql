CREATE TABLE @.store (only_row integer PRIMARY KEY CHECK (only_row = 1), id uuid NOT NULL);
