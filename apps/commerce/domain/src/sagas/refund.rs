//! Paying back: from the request to the order marked.
//!
//! The money is bound first, so that two refunds never exceed what was captured; the provider's payment is the point of no
//! return; then goods go back to the shelf and the order is told.

use crate::{
    orders::{
        Order, OrderEvent, RefundRequest, StockLine,
        commands::{RefundOrder, RejectRefund},
        stock_lines,
    },
    payments::{
        commands::{RecordRefund, ReleaseRefund, ReserveRefund},
        gateway::{self, Refunded},
    },
    stock::commands::ReturnStock,
};
use gallae_core::{
    Id, Saga, SagaId, StreamId,
    saga::{
        Action, CallResult, RetryPolicy, SagaCommand, SagaContext, SagaEnd, SagaGraph, SagaStatus, Start,
        call, compensable, local, pivot, retriable,
    },
};
use serde::{Deserialize, Serialize};

/// The names of the steps.
pub mod steps {
    use crate::payments::gateway::Refunded;
    use gallae_core::saga::Step;

    /// Binds captured money to the refund.
    pub const RESERVE_REFUND: Step<()> = Step::new("reserve_refund");
    /// Has the money paid back.
    pub const REFUND_PAYMENT: Step<Refunded> = Step::new("refund_payment");
    /// Puts the goods back on the shelf.
    pub const RESTOCK: Step<()> = Step::new("restock");
    /// Tells the order.
    pub const MARK_REFUNDED: Step<()> = Step::new("mark_refunded");
}

/// The saga that a refund request starts.
#[derive(Clone, Copy, Debug)]
pub struct Refund;

/// What a refund knows from its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundInput {
    /// Of which order.
    pub order: Id<Order>,
    /// What to pay back, and what comes back.
    pub request: RefundRequest,
}

impl Refund {
    /// The saga that carries out `refund`.
    pub fn id(refund: Id<RefundRequest>) -> SagaId {
        SagaId::of(Self::NAME, &refund.to_string())
    }
}

impl Saga for Refund {
    const NAME: &'static str = "refund";
    const VERSION: u32 = 1;
    type Trigger = OrderEvent;
    type Input = RefundInput;

    fn start(event: &OrderEvent, stream: &StreamId) -> Option<Start<RefundInput>> {
        let (OrderEvent::RefundRequested { request, .. }, Some(order)) = (event, stream.id()) else {
            return None;
        };
        let input = RefundInput { order, request: request.clone() };
        Some(Start { business_key: request.id.to_string(), input })
    }

    fn graph() -> SagaGraph<Self> {
        SagaGraph::new()
            .then(compensable(steps::RESERVE_REFUND, local(reserve_refund)).undo(local(release_refund)))
            // A provider that is down is no reason to keep a customer's money.
            .then(pivot(steps::REFUND_PAYMENT, refund_payment()).retry(RetryPolicy::UNTIL_DONE))
            .then(retriable(steps::RESTOCK, local(restock)))
            .then(retriable(steps::MARK_REFUNDED, local(mark_refunded)))
    }

    fn ended(cx: &Context<'_>, end: &SagaEnd) -> Vec<SagaCommand> {
        match end.status {
            SagaStatus::Rejected | SagaStatus::Compensated => vec![SagaCommand::new(RejectRefund {
                order: cx.input.order,
                refund: cx.input.request.id,
                code: end.code.clone().unwrap_or_else(|| "REFUND_FAILED".to_owned()),
                reason: end.reason.clone().unwrap_or_default(),
            })],
            _ => vec![],
        }
    }
}

type Context<'a> = SagaContext<'a, Refund>;

fn reserve_refund(cx: &Context<'_>) -> Vec<SagaCommand> {
    let RefundInput { order, request } = cx.input;
    vec![SagaCommand::new(ReserveRefund { order: *order, refund: request.id, amount: request.amount })]
}

fn release_refund(cx: &Context<'_>) -> Vec<SagaCommand> {
    let RefundInput { order, request } = cx.input;
    vec![SagaCommand::new(ReleaseRefund { order: *order, refund: request.id, amount: request.amount })]
}

fn refund_payment() -> Action<Refund> {
    let request = |cx: &Context<'_>| gateway::RefundRequest {
        payment: cx.input.request.payment.id,
        refund: cx.input.request.id,
        amount: cx.input.request.amount,
        provider_ref: cx.input.request.payment.provider_ref.clone(),
    };
    call(gateway::DEPENDENCY, gateway::REFUND, request).record(record_refund)
}

fn record_refund(cx: &Context<'_>, result: CallResult<Refunded>) -> Vec<SagaCommand> {
    let RefundInput { order, request } = cx.input;
    match result {
        // A refund counts for the day on which it was asked for.
        CallResult::Succeeded(refunded) => vec![SagaCommand::new(RecordRefund {
            order: *order,
            refund: request.id,
            refunded,
            refunded_at: request.requested_at,
        })],
        CallResult::Rejected { .. } => vec![],
    }
}

fn restock(cx: &Context<'_>) -> Vec<SagaCommand> {
    let RefundInput { order, request } = cx.input;
    let restock = |StockLine { book, quantity }| {
        SagaCommand::new(ReturnStock { book, order: *order, refund: request.id, quantity })
    };
    let returned = request.returns.iter().map(|item| (item.book, item.quantity));
    stock_lines(returned).into_iter().map(restock).collect()
}

fn mark_refunded(cx: &Context<'_>) -> Vec<SagaCommand> {
    vec![SagaCommand::new(RefundOrder { order: cx.input.order, refund: cx.input.request.id })]
}
