//! `doctor`: everything that must hold, checked.

use super::{Context, projection};
use crate::{Client, Exit, Failure, Output, Table, grouped, target};
use gallae_ports::CheckDepth;
use gallae_runtime::Roles;
use gallae_sqlite::log::check_directory;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

/// Sentences shown of each check.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Reads every event of the log, recomputes every view and compares it row by row, and asks the\n\
application what must hold in it: money, stock, sagas. Works while a server runs, and on a stopped\n\
one by opening the data directory. Changes nothing.\n\n\
Ends with 5 if anything is not as it must be.\n\n\
Examples:\n  {bin} doctor\n  {bin} doctor --data-dir /srv/shop --json\n  {bin} doctor --skip-views")]
pub struct Doctor {
    /// Do not recompute the views
    #[arg(long)]
    skip_views: bool,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    ok: bool,
    checked: u64,
    unit: &'static str,
    violations: Vec<String>,
}

impl Doctor {
    pub(super) async fn run(&self, cx: Context<'_>) -> Result<Exit, Failure> {
        let mut checks = Vec::new();
        // The log is read first, from its file: it may be too damaged to be opened.
        if cx.target.url.is_none() {
            let directory = target::directory(&cx.target.settings(cx.application)?)?;
            checks.push(check_log(&directory).await?);
        } else {
            cx.output.note("the server is elsewhere: it checks the newest events of its log, not all of it");
        }
        if checks.iter().all(|check| check.ok) {
            let roles = Roles { projector: true, ..Roles::NONE };
            let connection = cx.connect(roles).await?;
            let asked = self.ask(&connection.client, cx.output, &mut checks).await;
            connection.close().await;
            asked?;
        }
        let ok = checks.iter().all(|check| check.ok);
        cx.output.give(&json!({ "ok": ok, "checks": checks }), || words(&checks))?;
        Ok(if ok { Exit::Done } else { Exit::Violations })
    }

    async fn ask(&self, client: &Client, output: &Output, checks: &mut Vec<Check>) -> Result<(), Failure> {
        if !self.skip_views {
            for name in projection::names(client).await? {
                let report = projection::carry_out(client, output, &name, "verify").await?;
                checks.push(view_check(&name, &report));
            }
        }
        let found = client.get("/admin/invariants").await?;
        checks.extend(found["invariants"].as_array().into_iter().flatten().map(invariant));
        Ok(())
    }
}

async fn check_log(directory: &Path) -> Result<Check, Failure> {
    let at = directory.to_owned();
    let checking = tokio::task::spawn_blocking(move || check_directory(at, CheckDepth::Full)).await;
    let doing = "the log cannot be checked";
    let report = checking.map_err(|error| Failure::because(Exit::Failed, doing, &error))?;
    let report = report.map_err(|error| {
        Failure::because(Exit::Unavailable, doing, &error).hint("--data-dir names the data directory")
    })?;
    let (checked, violations) = (report.events, report.damage);
    Ok(Check { name: "log".to_owned(), ok: violations.is_empty(), checked, unit: "events", violations })
}

fn view_check(name: &str, report: &Value) -> Check {
    let number = |field: &str| report[field].as_u64().unwrap_or(0);
    let mut violations: Vec<String> = Vec::new();
    if let Some(error) = report["error"].as_str() {
        violations.push(error.to_owned());
    }
    if number("differing") > 0 {
        violations.push(format!("{} rows are not what the log says: projection repair {name}", number("differing")));
    }
    if number("parked") > 0 {
        violations.push(format!("{} keys wait behind parked events: projection dead-letters", number("parked")));
    }
    let ok = report["clean"] == true && violations.is_empty();
    Check { name: format!("view {name}"), ok, checked: number("rows"), unit: "rows", violations }
}

fn invariant(found: &Value) -> Check {
    let violations = found["violations"].as_array().into_iter().flatten();
    Check {
        name: found["name"].as_str().unwrap_or_default().to_owned(),
        ok: found["ok"] == true,
        checked: found["checked"].as_u64().unwrap_or(0),
        unit: "",
        violations: violations.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
    }
}

fn words(checks: &[Check]) -> String {
    let mut table = Table::new(["", "check", "looked at", "found"]).numbers(&[2]);
    let mut details = String::new();
    for check in checks {
        let looked = format!("{} {}", grouped(i64::try_from(check.checked).unwrap_or(i64::MAX)), check.unit);
        let found = if check.ok { "as it must be".to_owned() } else { format!("{} violations", check.violations.len().max(1)) };
        table.row([mark(check.ok), check.name.clone(), looked.trim().to_owned(), found]);
        for sentence in check.violations.iter().take(SHOWN) {
            details.push_str(&format!("\n✗ {}: {sentence}", check.name));
        }
        if check.violations.len() > SHOWN {
            details.push_str(&format!("\n  … and {} more: --json shows all", check.violations.len() - SHOWN));
        }
    }
    let broken = checks.iter().filter(|check| !check.ok).count();
    let verdict = match broken {
        0 => "✓ everything holds".to_owned(),
        _ => format!("✗ {broken} of {} checks found violations", checks.len()),
    };
    format!("{table}{details}\n{verdict}")
}

fn mark(ok: bool) -> String {
    if ok { "✓".to_owned() } else { "✗".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn violations_are_told_below_the_table() {
        let clean = json!({"clean": true, "rows": 608, "differing": 0, "parked": 0, "error": null});
        let broken = json!({"clean": false, "rows": 608, "differing": 2, "parked": 0, "error": null});
        let stock = json!({"name": "stock", "ok": false, "checked": 1000, "violations": ["채식주의자: 3 + 1 is not 5"]});
        let checks = [view_check("order_views", &clean), view_check("book_views", &broken), invariant(&stock)];
        assert_snapshot!(words(&checks));
    }

    #[test]
    fn a_parked_key_or_a_failed_verification_is_no_health() {
        assert!(!view_check("v", &json!({"clean": true, "parked": 1})).ok);
        assert!(!view_check("v", &json!({"outcome": "failed", "clean": false, "error": "cancelled"})).ok);
        assert!(!view_check("v", &Value::Null).ok);
    }
}
