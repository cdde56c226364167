//! `import`: books, and orders of the past.

use crate::imports::{
    BOOKS, BOOKS_FILE, BooksReport, OrdersReport, Progress, RETAIL_WEEK, RETAIL_WEEK_FILE, RejectedLine,
};
use bytes::Bytes;
use commerce_domain::money::{Currency, Money};
use gallae_cli::{Bar, Client, Exit, Failure, Output, Table, grouped, verbs::Context};
use gallae_runtime::Roles;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};

const DOES: &str = "Goes through the same commands as everybody's orders. Importing a file twice changes nothing, and an\n\
import that was interrupted goes on where it was. Ends with 5 unless every line of the file went to\n\
exactly one place; lines that were rejected with a reason do not change that.\n\n";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Import {
    /// Put books into the catalogue and onto the shelf
    #[command(before_help = "Reads goodbooks-10k; without a file, the thousand books that the program carries.", after_help = format!("{DOES}Examples:\n  {{bin}} import books\n  {{bin}} import books books.csv --rejects bad.csv"))]
    Books(File),
    /// Place the orders of the past, with their refunds and adjustments
    #[command(before_help = "Reads Online Retail; without a file, the week of real orders that the program carries.", after_help = format!("{DOES}Examples:\n  {{bin}} import orders\n  {{bin}} import orders online_retail.csv --json"))]
    Orders(File),
}

#[derive(Debug, clap::Args)]
pub(super) struct File {
    /// The file, CSV [default: the data that the program carries]
    file: Option<PathBuf>,
    /// Where to write lines that were not used, with line and reason [default: FILE.rejects.csv, here]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

impl Import {
    pub(super) async fn run(&self, cx: Context<'_>) -> Result<Exit, Failure> {
        let (kind, file, carried, name) = match self {
            Self::Books(file) => ("books", file, BOOKS, BOOKS_FILE),
            Self::Orders(file) => ("orders", file, RETAIL_WEEK, RETAIL_WEEK_FILE),
        };
        let (content, name) = file.read(carried, name)?;
        let connection = cx.connect(Roles::ALL).await?;
        let sent = send(&connection.client, cx.output, kind, content).await;
        connection.close().await;
        let report = sent?;
        match self {
            Self::Books(_) => {
                let books: BooksReport = understood(&report)?;
                let rejects = file.write_rejects(&name, &books.rejected)?;
                cx.output.give(&report, || words_of_books(&books))?;
                tell(cx.output, &books.rejected, rejects.as_deref());
                Ok(if books.adds_up() { Exit::Done } else { Exit::Violations })
            }
            Self::Orders(_) => {
                let orders: OrdersReport = understood(&report)?;
                let rejects = file.write_rejects(&name, &orders.rejected)?;
                cx.output.give(&report, || words_of_orders(&orders))?;
                tell(cx.output, &orders.rejected, rejects.as_deref());
                Ok(if orders.adds_up { Exit::Done } else { Exit::Violations })
            }
        }
    }
}

impl File {
    fn read(&self, carried: &'static [u8], name: &str) -> Result<(Bytes, String), Failure> {
        let Some(path) = &self.file else { return Ok((Bytes::from_static(carried), name.to_owned())) };
        let doing = format!("{} cannot be read", path.display());
        let content = std::fs::read(path).map_err(|error| Failure::because(Exit::Usage, &doing, &error))?;
        let name = path.file_name().map_or_else(|| name.to_owned(), |name| name.to_string_lossy().into_owned());
        Ok((content.into(), name))
    }

    fn write_rejects(&self, name: &str, rejected: &[RejectedLine]) -> Result<Option<PathBuf>, Failure> {
        if rejected.is_empty() && self.rejects.is_none() {
            return Ok(None);
        }
        let path = self.rejects.clone().unwrap_or_else(|| {
            PathBuf::from(format!("{}.rejects.csv", name.strip_suffix(".csv").unwrap_or(name)))
        });
        let written = csv::Writer::from_path(&path).and_then(|mut file| {
            file.write_record(["line", "code", "reason"])?;
            for RejectedLine { line, code, reason } in rejected {
                file.write_record([&line.to_string(), code, reason])?;
            }
            Ok(file.flush()?)
        });
        let doing = format!("the import is done, and its rejected lines cannot be written to {}", path.display());
        written.map_err(|error| Failure::because(Exit::Failed, &doing, &error))?;
        Ok(Some(path))
    }
}

/// Sends the file and draws how far the import is; its report.
async fn send(client: &Client, output: &Output, kind: &str, file: Bytes) -> Result<Value, Failure> {
    let bar = Bar::new(output, format!("import {kind}"), "");
    let mut lines = client.upload(&format!("/admin/import/{kind}"), "text/csv", file).await?;
    while let Some(line) = lines.next().await? {
        let mut said: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        if let Ok(Progress { phase, done, total }) = serde_json::from_value(said["progress"].take()) {
            bar.label(phase);
            bar.set(done, total);
        } else if let Some(error) = said["error"].as_str() {
            return Err(Failure::failed(error));
        } else if said["report"].is_object() {
            return Ok(said["report"].take());
        }
    }
    Err(Failure::failed("the import was interrupted").hint("import the same file again to go on where it was"))
}

fn understood<R: DeserializeOwned>(report: &Value) -> Result<R, Failure> {
    let other = |error: serde_json::Error| {
        Failure::because(Exit::Failed, "the report is not what it should be: is the server of this release?", &error)
    };
    serde_json::from_value(report.clone()).map_err(other)
}

fn words_of_books(report: &BooksReport) -> String {
    let mut table = Table::new(["books", ""]).numbers(&[1]);
    table.row(["lines in".into(), number(report.lines_in)]);
    table.row(["= new in the catalogue".into(), number(report.books.new)]);
    table.row(["+ there already".into(), number(report.books.already)]);
    table.row(["+ rejected".into(), number(report.rejected.len() as u64)]);
    table.row(["copies put on the shelf".into(), number(report.copies)]);
    format!("{table}\n{}", verdict(report.adds_up()))
}

fn words_of_orders(report: &OrdersReport) -> String {
    let mut lines = Table::new(["lines", ""]).numbers(&[1]);
    lines.row(["in".into(), number(report.lines_in)]);
    lines.row(["= ordered".into(), number(report.ordered)]);
    lines.row(["+ refunded".into(), number(report.refunded)]);
    lines.row(["+ adjusted".into(), number(report.adjusted)]);
    lines.row(["+ rejected".into(), number(report.rejected.len() as u64)]);
    let mut things = Table::new(["", "new", "there already"]).numbers(&[1, 2]);
    let counted = [
        ("customers", report.customers),
        ("products", report.products),
        ("orders", report.orders),
        ("refunds", report.refunds),
        ("adjustments", report.adjustments),
    ];
    for (name, count) in counted {
        things.row([name.into(), number(count.new), number(count.already)]);
    }
    let mut sagas = Table::new(["sagas", "stand", ""]).numbers(&[2]).or_say("no sagas");
    let all = [("checkout", &report.checkouts), ("refund", &report.refund_sagas)];
    for (definition, counts) in all {
        for (status, count) in counts {
            sagas.row([definition.into(), status.clone(), number(*count)]);
        }
    }
    let amounts = &report.amounts;
    let mut money = Table::new(["money", ""]).numbers(&[1]);
    money.row(["ordered".into(), pounds(amounts.ordered)]);
    money.row(["- cancelled".into(), pounds(amounts.cancelled)]);
    money.row(["- refunded".into(), pounds(amounts.refunded)]);
    money.row(["= kept".into(), pounds(amounts.ordered - amounts.cancelled - amounts.refunded)]);
    format!("{lines}\n{things}\n{sagas}\n{money}\n{}", verdict(report.adds_up))
}

fn verdict(adds_up: bool) -> &'static str {
    if adds_up {
        "✓ every line went to exactly one place"
    } else {
        "✗ the lines do not add up: this is a bug of the import"
    }
}

fn tell(output: &Output, rejected: &[RejectedLine], file: Option<&Path>) {
    let mut by_code = std::collections::BTreeMap::<&str, u64>::new();
    for line in rejected {
        *by_code.entry(&line.code).or_default() += 1;
    }
    if let Some(file) = file {
        let reasons: Vec<_> = by_code.iter().map(|(code, count)| format!("{code} {count}")).collect();
        output.note(format!("rejected lines are in {}: {}", file.display(), reasons.join(", ")));
    }
}

fn number(count: u64) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

fn pounds(pence: i64) -> String {
    Money::new(pence, Currency::Gbp).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_lines_go_to_a_file_that_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bad.csv");
        let rejected =
            [RejectedLine { line: 142, code: "CHARGE".into(), reason: "`D` is a charge, not a \"product\"".into() }];
        let file = File { file: None, rejects: Some(path.clone()) };
        assert_eq!(file.write_rejects("x.csv", &rejected).unwrap(), Some(path.clone()));
        let mut read = csv::Reader::from_path(&path).unwrap();
        let records: Vec<_> = read.records().map(Result::unwrap).collect();
        assert_eq!(records[0].iter().collect::<Vec<_>>(), ["142", "CHARGE", "`D` is a charge, not a \"product\""]);
    }

    #[test]
    fn a_file_that_is_not_there_is_a_mistake_of_the_command_line() {
        let file = File { file: Some("/nowhere/x.csv".into()), rejects: None };
        assert_eq!(file.read(b"", "x").unwrap_err().exit(), Exit::Usage);
    }
}
