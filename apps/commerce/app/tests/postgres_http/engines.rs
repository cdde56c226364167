//! The engines under the suite: PostgreSQL, a database for each shop.

use gallae_lab_servers::{Database, Postgres};

pub(crate) struct Engines(Database);

impl Engines {
    /// Connections of each kind that there are from the start: pools open them when somebody asks.
    pub(crate) fn kept_open() -> u64 {
        0
    }
    pub(crate) const POOLS: &[(&str, &str)] = &[("postgres", "write"), ("postgres", "read")];

    pub(crate) fn fresh() -> Self {
        Self(Database::create(Postgres::shared().unwrap()).unwrap())
    }

    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("profile", "distributed".to_owned()),
            ("postgres.write_url", self.0.url().to_owned()),
            ("auth.jwt_secret", "0123456789abcdef0123456789abcdef".to_owned()),
            // Many shops at once on one server.
            ("postgres.write_connections", "2".to_owned()),
            ("postgres.read_connections", "2".to_owned()),
        ]
    }
}
