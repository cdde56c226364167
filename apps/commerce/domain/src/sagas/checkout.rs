//! Buying: from the order placed to the money taken.
//!
//! Stock is reserved and money held, both of which can be undone; the confirmation sells the one to the other and is the point
//! of no return; then the money is taken and the customer told.

use super::notifications::{self, OrderConfirmedNotice};
use crate::{
    money::Money,
    orders::{
        Customer, Order, OrderEvent, OrderSource, PaymentMethod, StockLine,
        commands::{CancelOrder, ConfirmOrder},
        distinct_product_ids, stock_lines,
    },
    payments::{
        Payment,
        commands::{RecordAuthorization, RecordCapture, RecordFailure, RecordVoid},
        gateway::{
            self, Authorization, AuthorizeRequest, Capture, CaptureRequest, PaymentMetadata, VoidRequest,
            Voided,
        },
    },
    stock::commands::{ReleaseStock, ReserveStock, SellStock},
};
use gallae_core::{
    Id, Saga, SagaId, StreamId, Timestamp,
    saga::{
        Action, CallResult, RetryPolicy, SagaCommand, SagaContext, SagaEnd, SagaGraph, SagaStatus, Start,
        call, compensable, local, pivot, retriable,
    },
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The names of the steps.
pub mod steps {
    use crate::{
        payments::gateway::{Authorization, Capture},
        sagas::notifications::Notified,
    };
    use gallae_core::saga::Step;

    /// Promises stock to the order.
    pub const RESERVE_STOCK: Step<()> = Step::new("reserve_stock");
    /// Has the money held.
    pub const AUTHORIZE: Step<Authorization> = Step::new("authorize");
    /// Sells the stock and confirms the order.
    pub const CONFIRM_ORDER: Step<()> = Step::new("confirm_order");
    /// Has the money taken.
    pub const CAPTURE: Step<Capture> = Step::new("capture");
    /// Tells the customer.
    pub const NOTIFY: Step<Notified> = Step::new("notify");
}

/// Longest time from the order to its confirmation; then it is undone.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How long stock stays promised. Longer than [`DEADLINE`], which normally ends the promise: this one holds if the engine was
/// held up.
pub const RESERVATION: Duration = Duration::from_secs(15 * 60);

/// The saga that an order starts.
#[derive(Clone, Copy, Debug)]
pub struct Checkout;

/// What a checkout knows from its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutInput {
    /// Which order.
    pub order: Id<Order>,
    /// For whom.
    pub customer: Customer,
    /// The copies to reserve.
    pub stock: Vec<StockLine>,
    /// What all of it costs.
    pub total: Money,
    /// How it is paid.
    pub method: PaymentMethod,
    /// What the provider keeps with the payment.
    pub metadata: PaymentMetadata,
    /// When the money counts as taken, if not when it is: for imports.
    pub dated: Option<Timestamp>,
}

impl Checkout {
    /// The checkout of `order`.
    pub fn id(order: Id<Order>) -> SagaId {
        SagaId::of(Self::NAME, &order.to_string())
    }
}

impl Saga for Checkout {
    const NAME: &'static str = "checkout";
    const VERSION: u32 = 1;
    type Trigger = OrderEvent;
    type Input = CheckoutInput;

    fn start(event: &OrderEvent, stream: &StreamId) -> Option<Start<CheckoutInput>> {
        let (OrderEvent::Created(created), Some(order)) = (event, stream.id::<Order>()) else { return None };
        let input = CheckoutInput {
            order,
            customer: created.customer.clone(),
            stock: stock_lines(created.items.iter().map(|item| (item.book, item.quantity))),
            total: created.total,
            method: created.payment_method,
            metadata: PaymentMetadata {
                product_ids: distinct_product_ids(&created.items),
                reference: created.reference.clone(),
            },
            dated: (created.source == OrderSource::Import).then_some(created.placed_at),
        };
        Some(Start { business_key: order.to_string(), input })
    }

    fn graph() -> SagaGraph<Self> {
        SagaGraph::new()
            .deadline(DEADLINE)
            .then(compensable(steps::RESERVE_STOCK, local(reserve_stock)).undo(local(release_stock)))
            .then(compensable(steps::AUTHORIZE, authorize()).undo(void()))
            .then(pivot(steps::CONFIRM_ORDER, local(confirm_order)))
            .then(retriable(steps::CAPTURE, capture()))
            .then(retriable(steps::NOTIFY, notify()).retry(RetryPolicy::STANDARD).skippable())
    }

    fn ended(cx: &Context<'_>, end: &SagaEnd) -> Vec<SagaCommand> {
        match end.status {
            SagaStatus::Rejected | SagaStatus::Compensated => vec![SagaCommand::new(CancelOrder {
                order: cx.input.order,
                code: end.code.clone().unwrap_or_else(|| "CHECKOUT_FAILED".to_owned()),
                reason: end.reason.clone().unwrap_or_default(),
            })],
            _ => vec![],
        }
    }
}

type Context<'a> = SagaContext<'a, Checkout>;

fn reserve_stock(cx: &Context<'_>) -> Vec<SagaCommand> {
    let reserved_until = cx.now.after(RESERVATION);
    let order = cx.input.order;
    let reserve =
        |line: &StockLine| ReserveStock { book: line.book, order, quantity: line.quantity, reserved_until };
    cx.input.stock.iter().map(reserve).map(SagaCommand::new).collect()
}

fn release_stock(cx: &Context<'_>) -> Vec<SagaCommand> {
    let release = |line: &StockLine| ReleaseStock { book: line.book, order: cx.input.order };
    cx.input.stock.iter().map(release).map(SagaCommand::new).collect()
}

fn authorize() -> Action<Checkout> {
    let request = |cx: &Context<'_>| AuthorizeRequest {
        order: cx.input.order,
        payment: Payment::of(cx.input.order),
        amount: cx.input.total,
        method: cx.input.method,
        metadata: cx.input.metadata.clone(),
    };
    call(gateway::DEPENDENCY, gateway::AUTHORIZE, request).record(record_authorization)
}

fn record_authorization(cx: &Context<'_>, result: CallResult<Authorization>) -> Vec<SagaCommand> {
    let CheckoutInput { order, total: amount, method, .. } = *cx.input;
    vec![match result {
        CallResult::Succeeded(authorization) => {
            SagaCommand::new(RecordAuthorization { order, amount, method, authorization })
        }
        CallResult::Rejected { code, reason } => {
            SagaCommand::new(RecordFailure { order, amount, method, code, reason })
        }
    }]
}

fn void() -> Action<Checkout> {
    let request = |cx: &Context<'_>| VoidRequest {
        payment: Payment::of(cx.input.order),
        provider_ref: cx.output(steps::AUTHORIZE).map(|authorization| authorization.provider_ref),
    };
    call(gateway::DEPENDENCY, gateway::VOID, request).record(
        |cx: &Context<'_>, result: CallResult<Voided>| match result {
            CallResult::Succeeded(_) => vec![SagaCommand::new(RecordVoid { order: cx.input.order })],
            CallResult::Rejected { .. } => vec![],
        },
    )
}

fn confirm_order(cx: &Context<'_>) -> Vec<SagaCommand> {
    let order = cx.input.order;
    let confirm = ConfirmOrder { order, authorization: cx.output(steps::AUTHORIZE) };
    let sell = |line: &StockLine| SagaCommand::new(SellStock { book: line.book, order });
    std::iter::once(SagaCommand::new(confirm)).chain(cx.input.stock.iter().map(sell)).collect()
}

fn capture() -> Action<Checkout> {
    let request = |cx: &Context<'_>| CaptureRequest {
        payment: Payment::of(cx.input.order),
        amount: cx.input.total,
        provider_ref: cx.output(steps::AUTHORIZE).map(|authorization| authorization.provider_ref),
    };
    call(gateway::DEPENDENCY, gateway::CAPTURE, request).record(record_capture)
}

fn record_capture(cx: &Context<'_>, result: CallResult<Capture>) -> Vec<SagaCommand> {
    let CheckoutInput { order, total: amount, method, dated: captured_at, .. } = *cx.input;
    match result {
        CallResult::Succeeded(capture) => {
            vec![SagaCommand::new(RecordCapture { order, amount, method, capture, captured_at })]
        }
        // After the pivot a refusal needs an operator; the saga is stuck and says why.
        CallResult::Rejected { .. } => vec![],
    }
}

fn notify() -> Action<Checkout> {
    let notice = |cx: &Context<'_>| OrderConfirmedNotice {
        order: cx.input.order,
        customer: cx.input.customer.clone(),
        total: cx.input.total,
    };
    call(notifications::DEPENDENCY, notifications::ORDER_CONFIRMED, notice)
}
