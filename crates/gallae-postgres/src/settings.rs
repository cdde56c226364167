//! Where the database is and how it is used.

use std::{fmt, time::Duration};

/// What a node needs to know of its PostgreSQL.
///
/// URLs have the form `postgres://user:password@host:5432,other:5432/database?sslmode=verify-full&sslrootcert=/path/ca.pem`.
/// Several hosts are tried in order until one accepts writing (for the write and direct URL) or answers (for the read URL).
/// `sslmode` is `disable`, `prefer` (the default) or `require`, none of which checks who answers, or `verify-full`, which checks
/// the certificate and the name in it against the authorities in `sslrootcert`.
#[derive(Clone)]
pub struct Settings {
    /// The primary, alone or behind a proxy: everything that decides or writes.
    pub write_url: String,
    /// Standbys: history, traces, queries. The write URL if absent.
    pub read_url: Option<String>,
    /// The primary without a pooler in transaction mode between: for the sessions of the batcher and of LISTEN. The write URL if
    /// absent.
    pub direct_url: Option<String>,
    /// The schema that holds the tables; made if it is missing. Lower-case letters, digits and underscores.
    pub schema: String,
    /// Connections to the write URL, at most, besides two direct ones.
    pub write_connections: usize,
    /// Connections to the read URL, at most.
    pub read_connections: usize,
    /// Whether statements are prepared and kept per connection. Off for poolers in transaction mode that do not know prepared
    /// statements (PgBouncer before 1.21, or without `max_prepared_statements`).
    pub prepare: bool,
    /// For each address of a host.
    pub connect_timeout: Duration,
    /// For a connection of a pool to come free or be made.
    pub acquire_timeout: Duration,
    /// For one statement, its answer included; afterwards its connection is dropped.
    pub statement_timeout: Duration,
    /// For the commit of a batch, its replication included; afterwards its outcome is unknown.
    pub commit_timeout: Duration,
    /// How long appends wait for a connection to the primary before they are refused as unavailable.
    pub append_patience: Duration,
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
}

impl Settings {
    /// The settings that suit most for the database at `write_url`.
    pub fn new(write_url: impl Into<String>) -> Self {
        Self {
            write_url: write_url.into(),
            read_url: None,
            direct_url: None,
            schema: "gallae".to_owned(),
            write_connections: 8,
            read_connections: 8,
            prepare: true,
            connect_timeout: Duration::from_secs(2),
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(15),
            commit_timeout: Duration::from_secs(10),
            append_patience: Duration::from_secs(2),
            application_name: "gallae".to_owned(),
        }
    }
}

impl fmt::Debug for Settings {
    /// Leaves the URLs out: they carry passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("schema", &self.schema)
            .field("write_connections", &self.write_connections)
            .field("read_connections", &self.read_connections)
            .field("prepare", &self.prepare)
            .field("connect_timeout", &self.connect_timeout)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("commit_timeout", &self.commit_timeout)
            .field("append_patience", &self.append_patience)
            .field("application_name", &self.application_name)
            .finish_non_exhaustive()
    }
}
