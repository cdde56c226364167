//! Deleting what has expired.

use super::sql;
use gallae_core::Timestamp;
use rusqlite::Connection;
use std::time::Duration;

/// Inbox entries older than this are expired.
const INBOX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const EXPIRED: [&str; 4] = [
    "DELETE FROM idempotency WHERE number IN
        (SELECT number FROM idempotency WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    "DELETE FROM claims WHERE key IN
        (SELECT key FROM claims WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    "DELETE FROM early_messages WHERE number IN
        (SELECT number FROM early_messages WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    // A token that has expired is refused whether it is known or not.
    "DELETE FROM refresh_tokens WHERE hash IN
        (SELECT hash FROM refresh_tokens WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
];

const OLD_INBOX: &str = "DELETE FROM inbox WHERE (consumer, message_id) IN
    (SELECT consumer, message_id FROM inbox WHERE applied_at < ?1 ORDER BY applied_at LIMIT ?2)";

/// Deletes at most `limit` rows of each kind; says how many in all.
pub(super) fn purge(connection: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<u64> {
    let mut deleted = 0;
    for statement in EXPIRED {
        deleted += connection.prepare_cached(statement)?.execute((now.as_micros(), sql::limit(limit)))?;
    }
    let oldest = now.before(INBOX_AGE).as_micros();
    deleted += connection.prepare_cached(OLD_INBOX)?.execute((oldest, sql::limit(limit)))?;
    Ok(deleted as u64)
}
