//! An order as the API shows it.

use super::body::Address;
use crate::http::{CurrencyCode, Method, PaymentState, RefundState, SagaState, Shipping, Status, Time};
use commerce_domain::{
    money::{Currency, Money},
    orders::{OrderItem, ShippingAddress},
    projections::{OrderView, PaymentSummary, RefundSummary},
};
use gallae_ports::SagaRow;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An order as it was placed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlacedReply<'a> {
    pub(super) id: Uuid,
    /// The same as `id`.
    pub(super) order_id: Uuid,
    pub(super) user_id: Uuid,
    /// Its checkout: `GET /sagas/{id}`.
    pub(super) saga_id: Uuid,
    /// Its flow: `GET /trace/correlation/{id}`.
    pub(super) correlation_id: &'a str,
    pub(super) status: Status,
    pub(super) items: Vec<ItemReply<'a>>,
    pub(super) item_count: usize,
    /// In minor units of the currency.
    pub(super) total_amount: i64,
    pub(super) currency: CurrencyCode,
    #[schema(example = "₩1,500,000")]
    pub(super) formatted_total: String,
    pub(super) payment_method: Method,
    #[schema(value_type = Address)]
    pub(super) shipping_address: &'a ShippingAddress,
    /// How the checkout ended, if the request waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) saga_status: Option<SagaState>,
}

/// One line of an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ItemReply<'a> {
    product_id: &'a str,
    product_name: &'a str,
    quantity: u32,
    /// For one piece, in minor units.
    price: i64,
    /// For all pieces, in minor units.
    line_total: i64,
    /// Whether it is a book of the catalogue.
    in_catalogue: bool,
}

impl<'a> ItemReply<'a> {
    pub(super) fn of(item: &'a OrderItem) -> Self {
        Self {
            product_id: &item.product_id,
            product_name: &item.name,
            quantity: item.quantity,
            price: item.unit_price.amount,
            line_total: item.unit_price.amount.saturating_mul(i64::from(item.quantity)),
            in_catalogue: item.book.is_some(),
        }
    }
}

/// An order with all that is known of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderReply<'a> {
    id: Uuid,
    /// The same as `id`.
    order_id: Uuid,
    user_id: Uuid,
    status: Status,
    customer: CustomerReply<'a>,
    items: Vec<ItemReply<'a>>,
    item_count: usize,
    /// In minor units of the currency.
    total_amount: i64,
    currency: CurrencyCode,
    #[schema(example = "₩1,500,000")]
    formatted_total: &'a str,
    /// What was paid back, in minor units.
    refunded_amount: i64,
    payment_method: Method,
    payment_status: PaymentState,
    payment: PaymentReply<'a>,
    #[schema(value_type = Address)]
    shipping_address: &'a ShippingAddress,
    shipping_status: Shipping,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_delivery: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saga_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    saga: Option<SagaReply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    /// `web` or `import`.
    source: &'static str,
    /// The number it has where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation: Option<CancellationReply<'a>>,
    refunds: Vec<RefundReply<'a>>,
    created_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipped_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded_at: Option<Time>,
}

/// The customer as they were when they ordered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CustomerReply<'a> {
    id: Uuid,
    name: &'a str,
    email: &'a str,
}

/// What became of the payment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentReply<'a> {
    /// Once the provider has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    status: PaymentState,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorized_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'a str>,
}

/// Where the checkout stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SagaReply {
    id: Uuid,
    status: SagaState,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<SagaRow> for SagaReply {
    fn from(row: SagaRow) -> Self {
        let SagaRow { id, status, step, reason, .. } = row;
        Self { id: id.uuid(), status: SagaState(status), step, reason }
    }
}

/// Why an order was cancelled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CancellationReply<'a> {
    /// Stable.
    #[schema(example = "PAYMENT_DECLINED")]
    code: &'a str,
    reason: &'a str,
}

/// Money asked back.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefundReply<'a> {
    id: Uuid,
    /// In minor units.
    amount: i64,
    reason: &'a str,
    outcome: RefundState,
    requested_at: Time,
}

impl<'a> OrderReply<'a> {
    /// `None` while the view knows nothing but the payment.
    pub(super) fn of(view: &'a OrderView, saga: Option<SagaReply>) -> Option<Self> {
        let (customer, total) = (view.customer.as_ref()?, view.total?);
        let id = view.id?.uuid();
        Some(Self {
            id,
            order_id: id,
            user_id: customer.id.uuid(),
            status: Status(view.status?),
            customer: CustomerReply {
                id: customer.id.uuid(),
                name: &customer.name,
                email: customer.email.as_str(),
            },
            items: view.items.iter().map(ItemReply::of).collect(),
            item_count: view.item_count,
            total_amount: total.amount,
            currency: CurrencyCode(total.currency),
            formatted_total: &view.formatted_total,
            refunded_amount: view.total_refunded.map_or(0, |refunded| refunded.amount),
            payment_method: Method(view.payment_method),
            payment_status: PaymentState(view.payment.status),
            payment: PaymentReply::of(&view.payment),
            shipping_address: view.shipping_address.as_ref()?,
            shipping_status: Shipping(view.shipping_status),
            estimated_delivery: view.estimated_delivery.map(Time),
            tracking_number: view.tracking_number.as_deref(),
            saga_id: view.saga_id.map(|saga| saga.uuid()),
            saga,
            correlation_id: view.correlation_id.as_ref().map(|id| id.as_str()),
            source: match view.source {
                commerce_domain::orders::OrderSource::Web => "web",
                commerce_domain::orders::OrderSource::Import => "import",
            },
            reference: view.reference.as_deref(),
            cancellation: view
                .cancellation
                .as_ref()
                .map(|cancelled| CancellationReply { code: &cancelled.code, reason: &cancelled.reason }),
            refunds: view.refunds.iter().map(RefundReply::of).collect(),
            created_at: Time(view.created_at?),
            updated_at: view.updated_at.map(Time),
            confirmed_at: view.confirmed_at.map(Time),
            approved_at: view.approved_at.map(Time),
            shipped_at: view.shipped_at.map(Time),
            delivered_at: view.delivered_at.map(Time),
            cancelled_at: view.cancelled_at.map(Time),
            refunded_at: view.refunded_at.map(Time),
        })
    }
}

impl<'a> PaymentReply<'a> {
    fn of(payment: &'a PaymentSummary) -> Self {
        Self {
            id: payment.id.map(|id| id.uuid()),
            status: PaymentState(payment.status),
            provider_ref: payment.provider_ref.as_deref(),
            authorized_at: payment.authorized_at.map(Time),
            paid_at: payment.paid_at.map(Time),
            failure_code: payment.failure_code.as_deref(),
            failure_reason: payment.failure_reason.as_deref(),
        }
    }
}

impl<'a> RefundReply<'a> {
    fn of(refund: &'a RefundSummary) -> Self {
        Self {
            id: refund.id.uuid(),
            amount: refund.amount.amount,
            reason: &refund.reason,
            outcome: RefundState(refund.outcome),
            requested_at: Time(refund.requested_at),
        }
    }
}

/// A page of orders.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrdersPage<'a> {
    pub(super) orders: Vec<OrderReply<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<u32>,
    pub(super) limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total_pages: Option<u64>,
    /// Send it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

/// An order as a command left it, or will leave it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangedReply {
    pub(super) id: Uuid,
    /// The same as `id`.
    pub(super) order_id: Uuid,
    pub(super) status: Status,
    /// The cancellation is under way: follow the order.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) cancel_requested: bool,
    /// The confirmation is under way: follow the order.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) confirm_requested: bool,
    /// The saga that carries it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) saga_id: Option<Uuid>,
    /// The refund that pays back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refund_id: Option<Uuid>,
}

impl ChangedReply {
    pub(super) fn new(order: Uuid, status: commerce_domain::orders::OrderStatus) -> Self {
        Self {
            id: order,
            order_id: order,
            status: Status(status),
            cancel_requested: false,
            confirm_requested: false,
            saga_id: None,
            refund_id: None,
        }
    }
}

/// Money of one currency, for figures.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AmountReply {
    pub(crate) currency: CurrencyCode,
    /// In minor units.
    pub(crate) amount: i64,
    #[schema(example = "₩1,500,000")]
    pub(crate) formatted: String,
}

impl AmountReply {
    pub(crate) fn new(amount: i64, currency: Currency) -> Self {
        let formatted = Money::new(amount, currency).to_string();
        Self { currency: CurrencyCode(currency), amount, formatted }
    }
}
