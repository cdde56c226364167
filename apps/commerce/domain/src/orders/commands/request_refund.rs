//! Money is asked back.

use crate::{
    money::Money,
    orders::{
        Order, OrderEvent, OrderRejection, Placed, RefundOutcome, RefundRequest, ReturnedItem,
        distinct_product_ids,
    },
};
use gallae_core::{Command, Decide, DecisionContext, Id, Timestamp};
use std::collections::BTreeMap;

/// Asks for money of an order back, which starts a refund. The same refund again is nothing to do; one that was rejected is
/// asked for again under a new id. Cancelling an order after its confirmation is a request for all of it.
///
/// Between confirmation and capture there is no money to pay back yet and the refund would be rejected: look at
/// [`Payment::captured`](crate::payments::Payment::captured) first. What is captured stays captured, so the look cannot be outrun.
#[derive(Clone, Debug)]
pub struct RequestRefund {
    /// Of which order.
    pub order: Id<Order>,
    /// Made by the caller, or by [`RefundRequest::derived_id`].
    pub refund: Id<RefundRequest>,
    /// How much; all that is left if absent.
    pub amount: Option<Money>,
    /// What comes back to the shelf.
    pub returns: Returns,
    /// In words.
    pub reason: String,
    /// When, if not now: for imports.
    pub requested_at: Option<Timestamp>,
}

/// The pieces that come back with a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returns {
    /// All that did not come back yet.
    All,
    /// These pieces, by product id.
    Pieces(BTreeMap<String, u32>),
    /// None.
    Nothing,
}

impl Command for RequestRefund {
    const NAME: &'static str = "order.request-refund";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }
}

impl Decide<RequestRefund> for Order {
    fn decide(
        &self,
        command: &RequestRefund,
        cx: &DecisionContext<'_>,
    ) -> Result<Vec<OrderEvent>, OrderRejection> {
        let placed = self.existing()?;
        match placed.refunds.get(&command.refund).map(|refund| refund.outcome) {
            Some(RefundOutcome::Pending | RefundOutcome::Refunded) => return Ok(vec![]),
            Some(RefundOutcome::Rejected) => return Err(OrderRejection::RefundSettled),
            None => {}
        }
        let refundable = placed.refundable();
        let payment = placed.payment.clone().filter(|_| placed.status.is_paid());
        let payment =
            payment.ok_or_else(|| placed.wrong_status("CONFIRMED, APPROVED, SHIPPED or DELIVERED"))?;
        let amount = command.amount.unwrap_or(refundable);
        if command.amount.is_none() && !refundable.is_positive() {
            return Err(OrderRejection::RefundPending);
        }
        if !amount.is_positive() || amount.currency != placed.total.currency {
            return Err(OrderRejection::InvalidRefund);
        }
        if amount.amount > refundable.amount {
            return Err(OrderRejection::RefundTooLarge { refundable });
        }
        let request = RefundRequest {
            id: command.refund,
            amount,
            returns: returned_items(placed, &command.returns)?,
            reason: command.reason.clone(),
            payment,
            requested_at: command.requested_at.unwrap_or(cx.now),
        };
        Ok(vec![OrderEvent::RefundRequested { before: placed.summary(), request }])
    }
}

fn returned_items(placed: &Placed, returns: &Returns) -> Result<Vec<ReturnedItem>, OrderRejection> {
    let pieces: BTreeMap<String, u64> = match returns {
        Returns::Nothing => BTreeMap::new(),
        Returns::Pieces(pieces) => {
            pieces.iter().map(|(id, pieces)| (id.clone(), u64::from(*pieces))).collect()
        }
        Returns::All => distinct_product_ids(&placed.items)
            .into_iter()
            .map(|id| (id.clone(), placed.returnable(&id)))
            .collect(),
    };
    let wanted = pieces.into_iter().filter(|(_, pieces)| *pieces > 0);
    wanted.map(|(product_id, pieces)| returned_item(placed, product_id, pieces)).collect()
}

fn returned_item(placed: &Placed, product_id: String, pieces: u64) -> Result<ReturnedItem, OrderRejection> {
    let returnable = placed.returnable(&product_id);
    let item = placed.items.iter().find(|item| item.product_id == product_id);
    match (item, u32::try_from(pieces)) {
        (Some(item), Ok(quantity)) if pieces <= returnable => {
            Ok(ReturnedItem { product_id, book: item.book, quantity })
        }
        _ => Err(OrderRejection::ReturnTooLarge { product_id, returnable }),
    }
}
