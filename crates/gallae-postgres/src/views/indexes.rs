//! The indexes of a rebuilt generation.

use super::{PostgresViews, failure::Failure, tables::Tables};
use crate::direct::Direct;
use std::time::Duration;

/// The longest that one index may take.
const LIMIT: Duration = Duration::from_secs(1_800);

impl PostgresViews {
    /// Creates the indexes that a shadow lacks, and lets the server count its rows. A shadow is filled without: an index is
    /// made several times faster of all rows at once than row by row. Nobody but the rebuild, which waits, is held up.
    pub(super) async fn complete(&self, tables: &Tables) -> Result<(), Failure> {
        let schema = self.pools().write.schema();
        let indexes = tables.indexes();
        let counts = tables.names().map(|table| format!("ANALYZE {table}"));
        let mut direct = Direct::connect(&self.inner.connector, LIMIT).await?;
        for step in indexes.chain(counts) {
            let limit = LIMIT.as_millis();
            let script = schema.qualify(&format!(
                "BEGIN; SET LOCAL statement_timeout = {limit}; SET LOCAL client_min_messages = warning; {step}; COMMIT"
            ));
            direct.run(LIMIT, async |client| client.batch_execute(&script).await).await?;
        }
        Ok(())
    }
}
