//! Promises of the dispatcher, each on a store in memory that can fail on request.

use super::*;
use crate::{SystemClock, SystemEntropy};
use execute::{SagaStart, StartError, StartSagas};
use gallae_core::{
    Actor, ClaimChange, CorrelationId, Decide, DecisionContext, EncodedEvent, Event, Metadata, Rejection,
    SagaId, StreamId, Timestamp,
};
use gallae_memory::{Fault, MemoryLog};
use gallae_ports::{AppendError, Claim, Expected, NewEvent};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Event)]
enum SeatEvent {
    #[event(name = "SeatsSold", version = 1)]
    Sold { count: u32 },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Show {
    sold: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only {left} left")]
struct SoldOut {
    left: u32,
}

impl Rejection for SoldOut {
    fn code(&self) -> &'static str {
        "SOLD_OUT"
    }
}

impl Aggregate for Show {
    const TYPE: &'static str = "show";
    type Event = SeatEvent;
    type Rejection = SoldOut;
    fn evolve(&mut self, SeatEvent::Sold { count }: &SeatEvent) {
        self.sold += count;
    }
}

/// The hall has a thousand seats.
const SEATS: u32 = 1000;

#[derive(Debug)]
struct Sell {
    show: Id<Show>,
    count: u32,
}

impl Command for Sell {
    const NAME: &'static str = "show.sell";
    type Aggregate = Show;
    fn target(&self) -> Id<Show> {
        self.show
    }
    fn claims(&self, _: &Show) -> Vec<ClaimChange> {
        let first_buyer =
            ClaimChange::Take { key: "unlucky".into(), owner: self.show.to_string(), expires_after: None };
        if self.count == 13 { vec![first_buyer] } else { vec![] }
    }
}

impl Decide<Sell> for Show {
    fn decide(&self, sell: &Sell, _: &DecisionContext<'_>) -> Result<Vec<SeatEvent>, SoldOut> {
        assert!(sell.count != 666, "a bug in the domain");
        match SEATS.checked_sub(self.sold + sell.count) {
            None => Err(SoldOut { left: SEATS - self.sold }),
            Some(_) if sell.count == 0 => Ok(vec![]),
            Some(_) => Ok(vec![SeatEvent::Sold { count: sell.count }]),
        }
    }
}

struct NoSagas;

impl StartSagas for NoSagas {
    fn starting(
        &self,
        _: &StreamId,
        _: &EncodedEvent,
        _: Timestamp,
        _: &Arc<Metadata>,
        _: &dyn Entropy,
    ) -> Result<Vec<SagaStart>, StartError> {
        Ok(Vec::new())
    }
    fn started(&self, _: SagaId) {}
}

fn log() -> MemoryLog {
    MemoryLog::new(Uuid::from_u128(1), Arc::new(SystemClock::new()))
}

fn node(log: &MemoryLog) -> Dispatcher {
    let types = [("show", AggregateType::of::<Show>())].into();
    let store = Arc::new(log.clone());
    let snapshots = Arc::clone(&store);
    Dispatcher::new(
        store,
        snapshots,
        Arc::new(SystemClock::new()),
        Arc::new(SystemEntropy),
        types,
        Arc::new(NoSagas),
    )
}

fn metadata() -> Metadata {
    Metadata::new(CorrelationId::new(Uuid::from_u128(7)), Actor::Anonymous, "node-1")
}

fn sell(show: u128, count: u32) -> Request<Sell> {
    Request::new(Sell { show: Id::new(Uuid::from_u128(show)), count }, metadata())
}

fn once(key: &str, fingerprint: &str) -> Idempotency {
    let expires_at = Timestamp::from_micros(i64::MAX);
    Idempotency {
        key: key.into(),
        fingerprint: fingerprint.into(),
        response: "first answer".into(),
        expires_at,
    }
}

async fn sold(log: &MemoryLog, show: u128) -> u32 {
    let (show, _) = node(log).peek(Id::<Show>::new(Uuid::from_u128(show))).await.unwrap();
    show.sold
}

#[tokio::test]
async fn commands_on_one_hot_aggregate_never_oversell() {
    let log = log();
    let (a, b) = (node(&log), node(&log));
    let buyers: Vec<_> = (0..400)
        .map(|buyer| {
            let node = if buyer % 2 == 0 { a.clone() } else { b.clone() };
            tokio::spawn(async move { node.send(sell(1, 3)).await })
        })
        .collect();
    let (mut accepted, mut refused) = (0, 0);
    for buyer in buyers {
        match buyer.await.unwrap() {
            Ok(_) => accepted += 1,
            Err(SendError::Rejected(SoldOut { left })) => {
                assert_eq!(left, 1, "a refusal must rest on what is committed");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((accepted, refused, sold(&log, 1).await), (333, 67, 999));
}

#[tokio::test]
async fn a_refusal_decided_on_a_stale_cache_is_decided_again() {
    let log = log();
    let (here, there) = (node(&log), node(&log));
    here.send(sell(1, 990)).await.unwrap();
    // Another node gives the seats of its own view away; `here` still believes in 10.
    there.send(sell(1, 9)).await.unwrap();
    match here.send(sell(1, 5)).await {
        Err(SendError::Rejected(refusal)) => assert_eq!(refusal, SoldOut { left: 1 }),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_to_do_is_confirmed_too() {
    let log = log();
    let (here, there) = (node(&log), node(&log));
    here.send(sell(1, 1)).await.unwrap();
    there.send(sell(1, 1)).await.unwrap();
    let receipt = here.send(sell(1, 0)).await.unwrap();
    assert_eq!((receipt.events, receipt.version), (0, Version::new(2)));
}

#[tokio::test]
async fn a_key_takes_effect_once_and_replays_the_first_answer() {
    let log = log();
    let node = node(&log);
    let first = node.send(sell(1, 999).once(once("k", "f"))).await.unwrap();
    assert_eq!((first.events, first.replayed), (1, None));
    // Decided alone, the repetition would be refused: the hall is nearly full.
    let second = node.send(sell(1, 999).once(once("k", "f"))).await.unwrap();
    assert_eq!((second.events, second.replayed.as_deref()), (0, Some(&b"first answer"[..])));
    assert!(matches!(node.send(sell(1, 1).once(once("k", "other"))).await, Err(SendError::KeyReused)));
    assert_eq!(sold(&log, 1).await, 999);
}

#[tokio::test]
async fn a_key_used_at_the_same_time_on_two_nodes_takes_effect_once() {
    let log = log();
    let sends = (0..32).map(|_| {
        let node = node(&log);
        tokio::spawn(async move { node.send(sell(1, 1).once(once("k", "f"))).await.unwrap().events })
    });
    let effects: usize = futures::future::join_all(sends).await.into_iter().map(Result::unwrap).sum();
    assert_eq!((effects, sold(&log, 1).await), (1, 1));
}

#[tokio::test]
async fn an_unknown_outcome_is_resolved_to_one_effect() {
    for fault in [Fault::IndeterminateWritten, Fault::IndeterminateLost] {
        let log = log();
        let node = node(&log);
        log.fail_next(fault);
        log.fail_next(fault);
        assert_eq!(node.send(sell(1, 2)).await.unwrap().events, 1, "{fault:?}");
        assert_eq!(sold(&log, 1).await, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn an_unavailable_store_is_said_to_have_written_nothing() {
    let log = log();
    let node = node(&log);
    node.send(sell(1, 1)).await.unwrap();
    log.fail_next(Fault::Unavailable);
    assert!(matches!(node.send(sell(1, 1)).await, Err(SendError::Unavailable(_))));
    assert_eq!(
        node.send(sell(1, 1)).await.unwrap().version,
        Version::new(2),
        "the cache must not keep what was not written"
    );
}

#[tokio::test]
async fn a_claim_of_somebody_else_is_named() {
    let log = log();
    let node = node(&log);
    node.send(sell(1, 13)).await.unwrap();
    match node.send(sell(2, 13)).await {
        Err(SendError::ClaimTaken { key, owner, .. }) => {
            assert_eq!((key.as_str(), owner), ("unlucky", Uuid::from_u128(1).to_string()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(node.send(sell(2, 1)).await.unwrap().version, Version::new(1));
}

#[tokio::test]
async fn a_guarded_stream_that_moved_refuses_the_command() {
    let log = log();
    let node = node(&log);
    let price = Id::<Show>::new(Uuid::from_u128(9));
    let (_, seen) = node.peek(price).await.unwrap();
    node.send(sell(9, 1)).await.unwrap();
    let refused = node.send(sell(1, 1).guard(price.stream(), seen)).await;
    assert!(matches!(refused, Err(SendError::Conflict { .. })), "{refused:?}");
    assert_eq!(sold(&log, 1).await, 0);
}

#[tokio::test]
async fn a_transaction_takes_effect_as_a_whole() {
    let log = log();
    let node = node(&log);
    let commands = |counts: [u32; 2]| {
        let [one, two] = counts.map(|count| count);
        let command = |show, count| SagaCommand::new(Sell { show: Id::new(Uuid::from_u128(show)), count });
        vec![command(1, one), command(2, two)]
    };
    let batch = || {
        let event = NewEvent {
            id: gallae_core::EventId::new(SystemEntropy.uuid()),
            event_type: "Noted".into(),
            schema_version: 1,
            payload: "{}".into(),
        };
        AppendBatch::new(Timestamp::from_micros(1), Arc::new(metadata())).stream(
            "saga-1".parse().unwrap(),
            Expected::NoStream,
            vec![event],
        )
    };
    match node.transact(&commands([5, 1001]), batch()).await {
        Err(TransactError::Rejected { index: 1, code, .. }) => assert_eq!(code, "SOLD_OUT"),
        other => panic!("{other:?}"),
    }
    assert_eq!((sold(&log, 1).await, sold(&log, 2).await), (0, 0));
    node.transact(&commands([5, 6]), batch()).await.unwrap();
    assert_eq!((sold(&log, 1).await, sold(&log, 2).await), (5, 6));
    let again = node.transact(&commands([5, 6]), batch()).await;
    assert!(matches!(again, Err(TransactError::Append(AppendError::Conflict { .. }))), "{again:?}");
    assert_eq!((sold(&log, 1).await, sold(&log, 2).await), (5, 6));
}

#[tokio::test]
async fn a_bug_in_the_domain_leaves_no_half_changed_state() {
    let log = log();
    let node = node(&log);
    node.send(sell(1, 1)).await.unwrap();
    let (clone, bad) = (node.clone(), sell(1, 666));
    assert!(tokio::spawn(async move { clone.send(bad).await }).await.is_err());
    assert_eq!(node.send(sell(1, 1)).await.unwrap().version, Version::new(2));
}

#[tokio::test]
async fn a_snapshot_changes_no_result() {
    let log = log();
    let writer = node(&log);
    for _ in 0..600 {
        writer.send(sell(1, 1)).await.unwrap();
    }
    let stream = Id::<Show>::new(Uuid::from_u128(1)).stream();
    let mut snapshot = None;
    for _ in 0..100 {
        snapshot = log.snapshot(&stream, Show::SNAPSHOT_REVISION).await.unwrap();
        if snapshot.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(snapshot.is_some_and(|snapshot| snapshot.version >= Version::new(256)));
    assert_eq!(sold(&log, 1).await, 600);
    assert!(log.snapshot(&stream, 99).await.unwrap().is_none(), "another revision must not see it");
}

#[tokio::test]
async fn a_request_may_carry_its_own_claim() {
    let node = node(&log());
    let claim = |owner: &str| Claim::Take { key: "window".into(), owner: owner.into(), expires_at: None };
    node.send(sell(1, 1).claim(claim("a"))).await.unwrap();
    assert!(matches!(node.send(sell(2, 1).claim(claim("b"))).await, Err(SendError::ClaimTaken { .. })));
}
