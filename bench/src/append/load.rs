//! Appenders that do nothing but append and wait.

use crate::{
    Failure,
    measure::{Meter, Sample},
};
use bytes::Bytes;
use gallae_core::{Actor, CorrelationId, EventId, Metadata, StreamId};
use hdrhistogram::Histogram;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// After this many events an appender begins a new stream.
pub(super) const EVENTS_PER_STREAM: u64 = 10;

/// Appends before the clock runs, by as many appenders as there can be: logs that are written round have gone round, and
/// every engine has done some of the work that it puts off.
pub(super) const WARM_UP: u64 = 60_000;
const WARM_UP_APPENDERS: usize = 512;

/// Between the warm-up and the clock, with the load that is measured.
const SETTLES: Duration = Duration::from_millis(300);

/// One event of a stream.
#[derive(Clone, Debug)]
pub(super) struct Append {
    pub(super) stream: StreamId,
    /// The stream's last version before.
    pub(super) expected: u64,
    pub(super) id: EventId,
    pub(super) metadata: Arc<Metadata>,
    pub(super) payload: Bytes,
}

/// What appends can be sent to.
pub(super) trait Target: Send + Sync + 'static {
    /// Returns once the event is durable.
    fn append(&self, append: Append) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// How many append, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) appenders: usize,
    pub(super) lasts: Duration,
}

/// What the appenders share.
#[derive(Debug, Default)]
struct Shared {
    acknowledged: AtomicU64,
    counting: AtomicBool,
    over: AtomicBool,
}

type Appenders = JoinSet<Result<Histogram<u64>, Failure>>;

impl Load {
    /// Runs the appenders against `target`.
    pub(super) async fn on(self, target: impl Target) -> Result<Sample, Failure> {
        let target = Arc::new(target);
        warm_up(&target).await?;
        let (mut appenders, shared) = appenders(&target, self.appenders);
        tokio::time::sleep(SETTLES).await;
        shared.counting.store(true, Ordering::Relaxed);
        let (before, meter) = (shared.acknowledged.load(Ordering::Relaxed), Meter::start());
        tokio::time::sleep(self.lasts).await;
        let mut sample = meter.sample(shared.acknowledged.load(Ordering::Relaxed) - before);
        shared.over.store(true, Ordering::Relaxed);
        let mut micros = latencies()?;
        while let Some(appender) = appenders.join_next().await {
            micros.add(appender??)?;
        }
        sample.p50_ms = Some(micros.value_at_quantile(0.5) as f64 / 1e3);
        sample.p99_ms = Some(micros.value_at_quantile(0.99) as f64 / 1e3);
        Ok(sample)
    }
}

fn appenders(target: &Arc<impl Target>, count: usize) -> (Appenders, Arc<Shared>) {
    let (mut appenders, shared) = (JoinSet::new(), Arc::new(Shared::default()));
    for _ in 0..count {
        appenders.spawn(appender(Arc::clone(target), Arc::clone(&shared)));
    }
    (appenders, shared)
}

async fn warm_up(target: &Arc<impl Target>) -> Result<(), Failure> {
    let (mut appenders, shared) = appenders(target, WARM_UP_APPENDERS);
    while shared.acknowledged.load(Ordering::Relaxed) < WARM_UP {
        tokio::select! {
            Some(ended) = appenders.join_next() => drop(ended??),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    shared.over.store(true, Ordering::Relaxed);
    while let Some(ended) = appenders.join_next().await {
        ended??;
    }
    Ok(())
}

fn latencies() -> Result<Histogram<u64>, Failure> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

async fn appender(target: Arc<impl Target>, shared: Arc<Shared>) -> Result<Histogram<u64>, Failure> {
    let mut micros = latencies()?;
    let payload = Bytes::from_static(payload().as_bytes());
    loop {
        let stream = StreamId::of("order", Uuid::now_v7());
        let correlation = CorrelationId::new(Uuid::now_v7());
        let metadata = Arc::new(Metadata::new(correlation, Actor::User(Uuid::now_v7()), "node-1"));
        for expected in 0..EVENTS_PER_STREAM {
            if shared.over.load(Ordering::Relaxed) {
                return Ok(micros);
            }
            let append = Append {
                stream: stream.clone(),
                expected,
                id: EventId::new(Uuid::now_v7()),
                metadata: Arc::clone(&metadata),
                payload: payload.clone(),
            };
            let began = Instant::now();
            target.append(append).await?;
            shared.acknowledged.fetch_add(1, Ordering::Relaxed);
            if shared.counting.load(Ordering::Relaxed) {
                micros.saturating_record(u64::try_from(began.elapsed().as_micros())?);
            }
        }
    }
}

/// 328 bytes: an order of two lines.
pub(super) const fn payload() -> &'static str {
    concat!(
        r#"{"orderId":"0190d3a4-7e2c-7b61-9f0e-5a1c2b3d4e5f","customerId":"0190d3a4-7e2c-7b61-8a4d-6f7e8d9c0b1a","#,
        r#""status":"PENDING","placedAt":1732147200000000,"total":{"amount":4350000,"currency":"KRW"},"#,
        r#""items":[{"sku":"BK-10442","quantity":2,"price":1500000},{"sku":"BK-20871","quantity":1,"price":1350000}],"#,
        r#""address":"1 Teheran, Seoul"}"#,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_what_the_results_say() {
        assert_eq!(payload().len(), 328);
        let value: serde_json::Value = serde_json::from_str(payload()).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 7);
    }
}
