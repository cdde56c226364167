//! Cancellations: money and goods that go back.

use super::{
    super::{
        ImportError,
        sending::{Sent, send},
    },
    order_id,
    settled::{Refusal, settled},
};
use commerce_domain::{
    money::{Currency, Money},
    orders::{
        RefundRequest,
        commands::{RequestRefund, Returns},
    },
    sagas::Refund,
};
use commerce_import::retail::Cancellation;
use gallae_core::{Rejection, Timestamp, saga::SagaStatus};
use gallae_runtime::Platform;
use std::collections::BTreeMap;

/// What one cancellation takes back of one earlier invoice.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The cancellation.
    cancellation: String,
    /// The invoice that it takes back from.
    invoice: String,
    requested_at: i64,
    /// In pence.
    pub(super) amount: i64,
    pieces: BTreeMap<String, u32>,
    /// The lines of the file that it carries out, or parts of them.
    pub(super) lines: Vec<u64>,
}

/// A refund that was asked for, and how it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) new: bool,
    pub(super) saga: SagaStatus,
}

/// One request for each pair of a cancellation and an invoice, in the order of the file.
pub(super) fn requests(cancellations: &[&Cancellation]) -> Vec<Request> {
    let mut all = Vec::new();
    for cancellation in cancellations {
        let mut by_invoice: BTreeMap<&str, Request> = BTreeMap::new();
        for line in &cancellation.lines {
            for part in &line.parts {
                let request = by_invoice.entry(&part.invoice).or_insert_with(|| Request {
                    cancellation: cancellation.invoice.clone(),
                    invoice: part.invoice.clone(),
                    requested_at: cancellation.placed_at,
                    amount: 0,
                    pieces: BTreeMap::new(),
                    lines: Vec::new(),
                });
                request.amount += i64::from(part.quantity) * part.unit_price;
                *request.pieces.entry(line.code.clone()).or_default() += part.quantity;
                if request.lines.last() != Some(&line.line) {
                    request.lines.push(line.line);
                }
            }
        }
        all.extend(by_invoice.into_values());
    }
    all
}

/// Asks for the refund and waits until it is paid.
pub(super) async fn ask(
    platform: &Platform,
    request: &Request,
) -> Result<Result<Asked, Refusal>, ImportError> {
    let order = order_id(&request.invoice);
    let refund = RefundRequest::derived_id(order, &request.cancellation);
    let command = RequestRefund {
        order,
        refund,
        amount: Some(Money::new(request.amount, Currency::Gbp)),
        returns: Returns::Pieces(request.pieces.clone()),
        reason: format!("cancelled by invoice {}", request.cancellation),
        requested_at: Some(Timestamp::from_micros(request.requested_at)),
    };
    let new = match send(platform, order.uuid(), command).await? {
        Sent::Accepted(new) => new,
        Sent::Refused(rejection) => return Ok(Err(Refusal::new(rejection.code(), rejection.to_string()))),
        Sent::Taken(owner) => return Ok(Err(Refusal::new("TAKEN", format!("it belongs to {owner}")))),
    };
    let row = settled(platform, Refund::id(refund)).await?;
    if row.status == SagaStatus::Completed {
        return Ok(Ok(Asked { new, saga: row.status }));
    }
    let reason = row.reason.unwrap_or_else(|| "no reason was given".to_owned());
    Ok(Err(Refusal::new("REFUND_NOT_PAID", format!("its refund is {}: {reason}", row.status))))
}
