//! `order`: what customers ordered, and what operators do with it.

use axum::http::Method;
use gallae_cli::{Client, Exit, Failure, Output, Table, cell, query, segment, short_time, verbs::Context};
use gallae_runtime::Roles;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Order {
    /// List orders, newest first
    #[command(after_help = "Examples:\n  {bin} order list --status CONFIRMED\n  {bin} order list --from 2010-12-01 --to 2010-12-07 --limit 100 --json")]
    List {
        /// Only in this status, such as CONFIRMED
        #[arg(long)]
        status: Option<String>,
        /// Only of this customer, by id
        #[arg(long, value_name = "ID")]
        user: Option<String>,
        /// Only placed then or later: a day, or an instant
        #[arg(long, value_name = "DAY")]
        from: Option<String>,
        /// Only placed then or before
        #[arg(long, value_name = "DAY")]
        to: Option<String>,
        /// Which page, from 1
        #[arg(long, default_value_t = 1)]
        page: u32,
        /// Orders a page, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show one order with its items, its payment and its checkout
    #[command(after_help = "Examples:\n  {bin} order show 0190…\n  {bin} order show 0190… --json")]
    Show {
        /// Its id
        id: String,
    },
    /// Cancel an order: before its confirmation its checkout turns back, afterwards it is paid back
    #[command(after_help = "Examples:\n  {bin} order cancel 0190… --reason \"주문 실수\"")]
    Cancel {
        /// Its id
        id: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let a confirmed order go to the warehouse
    #[command(after_help = "Examples:\n  {bin} order approve 0190…")]
    Approve {
        /// Its id
        id: String,
    },
    /// Ship an approved order
    #[command(after_help = "Examples:\n  {bin} order ship 0190… --tracking-number CJ-123456789")]
    Ship {
        /// Its id
        id: String,
        /// The carrier's
        #[arg(long)]
        tracking_number: String,
    },
    /// Record that a shipped order has arrived
    #[command(after_help = "Examples:\n  {bin} order deliver 0190…")]
    Deliver {
        /// Its id
        id: String,
    },
}

impl Order {
    pub(super) async fn run(&self, cx: Context<'_>) -> Result<Exit, Failure> {
        let connection = cx.connect(Roles::ALL).await?;
        let done = self.ask(&connection.client, cx.output).await;
        connection.close().await;
        done.map(|()| Exit::Done)
    }

    async fn ask(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List { status, user, from, to, page, limit } => {
                let parameters = query(&[
                    ("status", status.clone()),
                    ("userId", user.clone()),
                    ("dateFrom", from.clone()),
                    ("dateTo", to.clone()),
                    ("page", Some(page.to_string())),
                    ("limit", Some(limit.to_string())),
                ]);
                let found = client.get(&format!("/orders{parameters}")).await?;
                output.give(&found, || list(&found))?;
                output.note(format!("page {page} of {}, {} in all", cell(&found, "/totalPages"), cell(&found, "/total")));
                Ok(())
            }
            Self::Show { id } => {
                let found = client.get(&format!("/orders/{}", segment(id))).await?;
                output.give(&found, || show(&found))
            }
            Self::Cancel { id, reason } => {
                let body = reason.as_ref().map(|reason| json!({ "reason": reason }));
                let path = format!("/orders/{}", segment(id));
                let done = client.send(Method::DELETE, &path, body.as_ref()).await?.json().await?;
                output.give(&done, || "the cancellation is asked for: order show tells how it ends".to_owned())
            }
            Self::Approve { id } => operate(client, output, id, "approve", None).await,
            Self::Ship { id, tracking_number } => {
                operate(client, output, id, "ship", Some(json!({ "trackingNumber": tracking_number }))).await
            }
            Self::Deliver { id } => operate(client, output, id, "deliver", None).await,
        }
    }
}

async fn operate(
    client: &Client,
    output: &Output,
    id: &str,
    what: &str,
    body: Option<Value>,
) -> Result<(), Failure> {
    let done = client.post(&format!("/orders/{}/{what}", segment(id)), body.as_ref()).await?;
    output.give(&done, || format!("done: the order is {} now", cell(&done, "/status")))
}

fn list(found: &Value) -> String {
    let columns = ["order", "status", "customer", "items", "total", "placed", "payment"];
    let mut table = Table::new(columns).numbers(&[3, 4]).or_say("no such order");
    for order in found["orders"].as_array().into_iter().flatten() {
        table.row([
            cell(order, "/id"),
            cell(order, "/status"),
            cell(order, "/customer/name"),
            cell(order, "/itemCount"),
            cell(order, "/formattedTotal"),
            short_time(&cell(order, "/createdAt")),
            cell(order, "/paymentStatus"),
        ]);
    }
    table.to_string()
}

fn show(order: &Value) -> String {
    let mut items = Table::new(["product", "name", "pieces", "price", "total"]).numbers(&[2, 3, 4]);
    for item in order["items"].as_array().into_iter().flatten() {
        items.row(["/productId", "/productName", "/quantity", "/price", "/lineTotal"].map(|at| cell(item, at)));
    }
    let mut facts = Table::new(["", ""]);
    let told = [
        ("status", cell(order, "/status")),
        ("customer", format!("{} <{}>", cell(order, "/customer/name"), cell(order, "/customer/email"))),
        ("total", cell(order, "/formattedTotal")),
        ("placed", short_time(&cell(order, "/createdAt"))),
        ("payment", format!("{} {}", cell(order, "/paymentStatus"), cell(order, "/payment/failureReason"))),
        ("shipping", format!("{} {}", cell(order, "/shippingStatus"), cell(order, "/trackingNumber"))),
        ("address", cell(order, "/shippingAddress/line1")),
        ("checkout", format!("{} {}", cell(order, "/saga/status"), cell(order, "/sagaId"))),
        ("cancelled", format!("{} {}", cell(order, "/cancellation/code"), cell(order, "/cancellation/reason"))),
        ("flow", cell(order, "/correlationId")),
    ];
    for (name, value) in told {
        let value = value.trim_end_matches(" -").to_owned();
        if value != "-" {
            facts.row([name.to_owned(), value]);
        }
    }
    format!("order {}\n{facts}\n{items}", cell(order, "/id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn korean_names_keep_the_columns_straight() {
        let order = |id: &str, name: &str, total: &str| {
            json!({
                "id": id, "status": "CONFIRMED", "customer": {"name": name}, "itemCount": 2,
                "formattedTotal": total, "createdAt": "2026-01-31T09:30:00.5Z", "paymentStatus": "PAID"
            })
        };
        let found = json!({"orders": [order("o-1", "김민수", "₩1,500,000"), order("o-2", "Suzanne", "£2.55")]});
        assert_snapshot!(list(&found));
    }
}
