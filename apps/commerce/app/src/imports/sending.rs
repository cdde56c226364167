//! Sending what an import brings.

use super::{ImportError, OnProgress, Progress};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use gallae_core::{Actor, Aggregate, Command, CorrelationId, Metadata, Rejection, Timestamp};
use gallae_runtime::{
    Platform,
    dispatcher::{Idempotency, Request, SendError},
};
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Things on their way at once: enough to fill the store's commits, few enough that no checkout waits long for its turn.
const WINDOW: usize = 32;

/// What became of a command.
pub(super) enum Sent<R> {
    /// It took effect: now (`true`), or in an earlier run.
    Accepted(bool),
    /// The domain says no.
    Refused(R),
    /// Somebody else holds what it needs.
    Taken(String),
}

/// Sends a command that is by itself nothing to do the second time.
pub(super) async fn send<C: Command>(
    platform: &Platform,
    flow: Uuid,
    command: C,
) -> Result<Sent<<C::Aggregate as Aggregate>::Rejection>, ImportError> {
    let what = format!("{} {}", C::NAME, command.target());
    settle(what, platform.send(Request::new(command, metadata(platform, flow))).await)
}

/// Sends a command once for all time, recognised by `key`.
pub(super) async fn send_once<C: Command>(
    platform: &Platform,
    flow: Uuid,
    command: C,
    key: String,
) -> Result<Sent<<C::Aggregate as Aggregate>::Rejection>, ImportError> {
    let what = format!("{} {}", C::NAME, command.target());
    // The key holds all that matters of the content; the record must outlive every repetition of the import.
    let once = Idempotency {
        fingerprint: key.clone(),
        key: format!("import:{key}"),
        response: Bytes::new(),
        expires_at: Timestamp::from_micros(i64::MAX),
    };
    settle(what, platform.send(Request::new(command, metadata(platform, flow)).once(once)).await)
}

/// Works through `count` things by their index, several at once, and tells how far it is. The first error ends it.
pub(super) async fn through<O, F>(
    count: usize,
    phase: &str,
    progress: OnProgress<'_>,
    work: impl Fn(usize) -> F,
) -> Result<Vec<O>, ImportError>
where
    F: Future<Output = Result<O, ImportError>>,
{
    let (total, done) = (count as u64, AtomicU64::new(0));
    let tell = |done| progress(Progress { phase: phase.to_owned(), done, total });
    tell(0);
    let worked = stream::iter((0..count).map(work)).buffered(WINDOW);
    worked.inspect_ok(|_| tell(done.fetch_add(1, Ordering::Relaxed) + 1)).try_collect().await
}

fn metadata(platform: &Platform, flow: Uuid) -> Metadata {
    Metadata::new(CorrelationId::new(flow), Actor::System("import".into()), platform.node().clone())
}

fn settle<R: Rejection>(
    what: String,
    sent: Result<gallae_runtime::dispatcher::Receipt, SendError<R>>,
) -> Result<Sent<R>, ImportError> {
    match sent {
        Ok(receipt) => Ok(Sent::Accepted(receipt.events > 0 && receipt.replayed.is_none())),
        Err(SendError::Rejected(rejection)) => Ok(Sent::Refused(rejection)),
        Err(SendError::ClaimTaken { owner, .. }) => Ok(Sent::Taken(owner)),
        Err(error) => Err(ImportError::Stopped { what, reason: error.to_string() }),
    }
}
