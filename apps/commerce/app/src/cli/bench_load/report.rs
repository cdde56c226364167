//! What the load found, for programs and people.

use super::{
    BenchLoad,
    load::Measured,
    probe::Visible,
    server::Backlog,
};
use gallae_cli::{Table, cell, human_duration};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn of(asked: &BenchLoad, url: &str, measured: Measured) -> Value {
    let Measured { placed, took, latency, errors, visible, backlog } = measured;
    let Visible { after_acknowledged, after_sent, missed } = visible;
    let failed: u64 = errors.values().sum();
    json!({
        "url": url,
        "connections": asked.connections,
        "users": asked.users,
        "items": asked.items,
        "rate": asked.rate,
        "seconds": took.as_secs_f64(),
        "orders": {
            "placed": placed,
            "perSecond": placed as f64 / took.as_secs_f64(),
            "failed": failed,
            "errors": errors,
            "latency": quantiles(&latency),
        },
        "visible": {
            "afterAcknowledged": quantiles(&after_acknowledged),
            "afterSent": quantiles(&after_sent),
            "missed": missed,
        },
        "sagas": backlog.map(sagas),
    })
}

fn sagas(Backlog { during, drained_in, left }: Backlog) -> Value {
    json!({
        "backlog": during,
        "backlogMax": during.iter().max(),
        "drainedInMs": drained_in.map(|took| took.as_secs_f64() * 1e3),
        "left": left,
    })
}

/// In milliseconds.
fn quantiles(histogram: &Histogram<u64>) -> Value {
    let millis = |micros: u64| micros as f64 / 1e3;
    let at = |quantile| millis(histogram.value_at_quantile(quantile));
    json!({
        "count": histogram.len(),
        "mean": histogram.mean() / 1e3,
        "p50": at(0.50),
        "p95": at(0.95),
        "p99": at(0.99),
        "max": millis(histogram.max()),
    })
}

pub(super) fn words(report: &Value) -> String {
    let mut latency = Table::new(["", "count", "p50", "p95", "p99", "max"]).numbers(&[1, 2, 3, 4, 5]);
    let rows = [
        ("placed", "/orders/latency"),
        ("visible after acknowledged", "/visible/afterAcknowledged"),
        ("visible after sent", "/visible/afterSent"),
    ];
    for (name, at) in rows {
        let millis = |quantile: &str| {
            let millis = report.pointer(&format!("{at}/{quantile}")).and_then(Value::as_f64).unwrap_or(0.0);
            human_duration(Duration::from_secs_f64(millis / 1e3))
        };
        latency.row([
            name.to_owned(),
            cell(report, &format!("{at}/count")),
            millis("p50"),
            millis("p95"),
            millis("p99"),
            millis("max"),
        ]);
    }
    let mut text = format!(
        "{latency}\n{} orders a second, {} failed",
        cell(report, "/orders/perSecond"),
        cell(report, "/orders/failed")
    );
    for (code, count) in report["orders"]["errors"].as_object().into_iter().flatten() {
        text.push_str(&format!("\n✗ {code}: {count}"));
    }
    if report["visible"]["missed"].as_u64().unwrap_or(0) > 0 {
        text.push_str(&format!("\n✗ {} orders were not visible within 10 s", cell(report, "/visible/missed")));
    }
    text.push_str(&match (&report["sagas"], report["sagas"]["drainedInMs"].as_f64()) {
        (Value::Null, _) => "\nthe backlog of checkouts was not measured: that needs an operator's token".to_owned(),
        (sagas, Some(millis)) => format!(
            "\n✓ every checkout ended {} after the last order; at most {} were under way",
            human_duration(Duration::from_secs_f64(millis / 1e3)),
            cell(sagas, "/backlogMax")
        ),
        (sagas, None) => format!("\n✗ {} checkouts had not ended after two minutes", cell(sagas, "/left")),
    });
    text
}
