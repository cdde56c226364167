//! Deleting what has expired, a bounded number of rows at a time.

use super::event_store::rows_at_most;
use crate::pool::{Param, Pool};
use gallae_core::Timestamp;
use gallae_ports::StoreFault;
use std::time::Duration;
use tokio_postgres::types::Type;

/// Inbox entries older than this are expired.
const INBOX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const EXPIRED: [&str; 3] = [
    "DELETE FROM @.idempotency WHERE key = ANY (ARRAY (
        SELECT key FROM @.idempotency WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)) AND expires_at < $1",
    "DELETE FROM @.claims WHERE key = ANY (ARRAY (
        SELECT key FROM @.claims WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)) AND expires_at < $1",
    // A token that has expired is refused whether it is known or not.
    "DELETE FROM @.refresh_tokens WHERE hash = ANY (ARRAY (
        SELECT hash FROM @.refresh_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)) AND expires_at < $1",
];

const OLD_INBOX: &str = "DELETE FROM @.inbox i USING (
        SELECT consumer, message_id FROM @.inbox WHERE applied_at < $1 ORDER BY applied_at LIMIT $2) old
    WHERE i.consumer = old.consumer AND i.message_id = old.message_id AND i.applied_at < $1";

const EARLY_MESSAGES: &str = "DELETE FROM @.early_messages m USING (
        SELECT saga, message_id FROM @.early_messages WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) old
    WHERE m.saga = old.saga AND m.message_id = old.message_id AND m.expires_at < $1";

/// Deletes at most `limit` rows of each kind, each kind in a transaction of its own; says how many in all.
pub(super) async fn purge(pool: &Pool, now: Timestamp, limit: usize) -> Result<u64, StoreFault> {
    let mut deleted = 0;
    for statement in EXPIRED {
        deleted += delete(pool, statement, now, limit).await?;
    }
    deleted += delete(pool, EARLY_MESSAGES, now, limit).await?;
    Ok(deleted + delete(pool, OLD_INBOX, now.before(INBOX_AGE), limit).await?)
}

async fn delete(
    pool: &Pool,
    statement: &'static str,
    before: Timestamp,
    limit: usize,
) -> Result<u64, StoreFault> {
    let (before, limit) = (before.as_micros(), rows_at_most(limit));
    let params: [Param<'_>; 2] = [(&before, Type::INT8), (&limit, Type::INT8)];
    pool.execute("purging what has expired", statement, &params).await
}
