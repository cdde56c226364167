//! The load itself: workers, a probe, and somebody who watches the backlog.

use super::{
    body,
    connection::{Address, Answer, Connection},
    probe::{self, Visible},
    server::{Backlog, watch},
};
use axum::http::{Method, StatusCode};
use gallae_cli::{Bar, Client, Exit, Failure, Output};
use hdrhistogram::Histogram;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// Microseconds up to ten minutes with three digits.
const LONGEST: u64 = 600_000_000;

/// What to do.
pub(super) struct Plan {
    pub(super) address: Address,
    pub(super) run: String,
    pub(super) customers: Vec<Arc<str>>,
    pub(super) connections: u32,
    pub(super) items: u32,
    pub(super) rate: Option<u32>,
    pub(super) warm_up: Duration,
    pub(super) measured: Duration,
    pub(super) probe_every: Duration,
}

/// What was measured.
pub(super) struct Measured {
    pub(super) placed: u64,
    pub(super) took: Duration,
    pub(super) latency: Histogram<u64>,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) visible: Visible,
    pub(super) backlog: Option<Backlog>,
}

/// Shared by the workers.
pub(super) struct Course {
    pub(super) begin: Instant,
    pub(super) measure_from: Instant,
    pub(super) end: Instant,
    pub(super) next: AtomicU64,
    pub(super) placed: AtomicU64,
    pub(super) over: AtomicBool,
}

struct Tally {
    placed: u64,
    latency: Histogram<u64>,
    errors: BTreeMap<String, u64>,
}

/// A histogram of microseconds.
pub(super) fn histogram() -> Result<Histogram<u64>, Failure> {
    let made = Histogram::new_with_bounds(1, LONGEST, 3);
    made.map_err(|error| Failure::because(Exit::Failed, "nothing can be measured", &error))
}

pub(super) async fn run(plan: Plan, operator: Option<&Client>, output: &Output) -> Result<Measured, Failure> {
    let plan = Arc::new(plan);
    let begin = Instant::now();
    let measure_from = begin + plan.warm_up;
    let course = Arc::new(Course {
        begin,
        measure_from,
        end: measure_from + plan.measured,
        next: AtomicU64::new(0),
        placed: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let mut workers = JoinSet::new();
    for number in 0..plan.connections {
        workers.spawn(work(Arc::clone(&plan), Arc::clone(&course), number));
    }
    let (visible, backlog, tallies) = tokio::join!(
        probe::run(&plan, &course),
        watch(operator, &course),
        finish(workers, &course, output),
    );
    let (visible, tallies) = (visible?, tallies?);
    let mut all = Tally { placed: 0, latency: histogram()?, errors: BTreeMap::new() };
    for tally in tallies {
        all.placed += tally.placed;
        let added = all.latency.add(&tally.latency);
        added.map_err(|error| Failure::because(Exit::Failed, "the measurements do not add up", &error))?;
        for (code, count) in tally.errors {
            *all.errors.entry(code).or_default() += count;
        }
    }
    let Tally { placed, latency, errors } = all;
    Ok(Measured { placed, took: plan.measured, latency, errors, visible, backlog: backlog? })
}

/// Waits for the workers and draws how far they are.
async fn finish(
    mut workers: JoinSet<Result<Tally, Failure>>,
    course: &Course,
    output: &Output,
) -> Result<Vec<Tally>, Failure> {
    let bar = Bar::new(output, "seconds", "s");
    let all = (course.end - course.begin).as_secs();
    let mut tallies = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let collected = loop {
        tokio::select! {
            ended = workers.join_next() => match ended {
                None => break Ok(()),
                Some(Ok(Ok(tally))) => tallies.push(tally),
                Some(Ok(Err(failure))) => break Err(failure),
                Some(Err(error)) => break Err(Failure::because(Exit::Failed, "a connection's task died", &error)),
            },
            _ = tick.tick() => {
                bar.set(course.begin.elapsed().as_secs().min(all), all);
                bar.label(format!("{} orders", course.placed.load(Ordering::Relaxed)));
            }
        }
    };
    course.over.store(true, Ordering::Release);
    collected.map(|()| tallies)
}

async fn work(plan: Arc<Plan>, course: Arc<Course>, worker: u32) -> Result<Tally, Failure> {
    let mut connection = Connection::new(&plan.address);
    let mut tally = Tally { placed: 0, latency: histogram()?, errors: BTreeMap::new() };
    let customer = Arc::clone(&plan.customers[worker as usize % plan.customers.len()]);
    loop {
        let number = course.next.fetch_add(1, Ordering::Relaxed);
        let Some(due) = due(&plan, &course, number).await else { return Ok(tally) };
        let body = body::order(&plan.run, number, plan.items);
        let headers = [("authorization", &*customer)];
        let answer = connection.ask(Method::POST, "/orders", &headers, body).await;
        let took = due.elapsed();
        let ok = matches!(&answer, Ok(answer) if answer.status == StatusCode::CREATED);
        course.placed.fetch_add(u64::from(ok), Ordering::Relaxed);
        // What is answered after the end was asked before it, but measured by nobody.
        if due >= course.measure_from && Instant::now() <= course.end {
            if ok {
                tally.placed += 1;
                let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST);
                tally.latency.saturating_record(micros.max(1));
            } else {
                *tally.errors.entry(code_of(&answer)).or_default() += 1;
            }
        }
        if answer.is_err() {
            // A server that is gone is not asked a million times.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// When a request should leave, once that moment has come; none after the end. At a given rate that is its place in the row,
/// however late the answers before it were.
async fn due(plan: &Plan, course: &Course, number: u64) -> Option<Instant> {
    let due = match plan.rate {
        None => Instant::now(),
        Some(rate) => course.begin + Duration::from_secs_f64(number as f64 / f64::from(rate)),
    };
    if due >= course.end || Instant::now() >= course.end {
        return None;
    }
    tokio::time::sleep_until(due).await;
    Some(due)
}

fn code_of(answer: &std::io::Result<Answer>) -> String {
    match answer {
        Err(_) => "no answer".to_owned(),
        Ok(Answer { status, body, .. }) => {
            let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
            format!("{} {}", status.as_u16(), body["code"].as_str().unwrap_or("-"))
        }
    }
}
