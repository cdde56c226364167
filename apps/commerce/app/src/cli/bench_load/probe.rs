//! How soon an order is visible.

use super::{
    body,
    connection::{Answer, Connection},
    load::{Course, Plan, histogram},
};
use axum::{
    body::Bytes,
    http::{Method, StatusCode},
};
use gallae_cli::Failure;
use hdrhistogram::Histogram;
use serde_json::Value;
use std::sync::{Arc, atomic::Ordering};
use tokio::time::Instant;

/// From an order's acknowledgement until its view shows it, and from its sending.
pub(super) struct Visible {
    pub(super) after_acknowledged: Histogram<u64>,
    pub(super) after_sent: Histogram<u64>,
    pub(super) missed: u64,
}

/// Places an order, then asks for it at its position: the answer comes when the view has reached it.
pub(super) async fn run(plan: &Plan, course: &Course) -> Result<Visible, Failure> {
    let mut visible = Visible { after_acknowledged: histogram()?, after_sent: histogram()?, missed: 0 };
    let mut connection = Connection::new(&plan.address);
    let customer = Arc::clone(&plan.customers[0]);
    let mut tick = tokio::time::interval(plan.probe_every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !course.over.load(Ordering::Acquire) {
        tick.tick().await;
        if Instant::now() >= course.end {
            break;
        }
        let seen = look(plan, course, &mut connection, &customer).await;
        if Instant::now() < course.measure_from {
            continue;
        }
        match seen {
            Some((sent, acknowledged)) => {
                visible.after_sent.saturating_record(micros(sent));
                visible.after_acknowledged.saturating_record(micros(acknowledged));
            }
            None => visible.missed += 1,
        }
    }
    Ok(visible)
}

async fn look(
    plan: &Plan,
    course: &Course,
    connection: &mut Connection,
    customer: &str,
) -> Option<(Instant, Instant)> {
    let number = course.next.fetch_add(1, Ordering::Relaxed);
    let body = body::order(&plan.run, number, plan.items);
    let sent = Instant::now();
    let headers = [("authorization", customer)];
    let placed = connection.ask(Method::POST, "/orders", &headers, body).await.ok()?;
    let acknowledged = Instant::now();
    let Answer { status: StatusCode::CREATED, headers, body } = placed else { return None };
    course.placed.fetch_add(1, Ordering::Relaxed);
    let position = headers.get("gallae-position")?.to_str().ok()?;
    let order: Value = serde_json::from_slice(&body).ok()?;
    let path = format!("/orders/{}", order["id"].as_str()?);
    let headers = [("authorization", customer), ("gallae-at-least", position), ("prefer", "wait=10")];
    let shown = connection.ask(Method::GET, &path, &headers, Bytes::new()).await.ok()?;
    (shown.status == StatusCode::OK).then_some((sent, acknowledged))
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
}
