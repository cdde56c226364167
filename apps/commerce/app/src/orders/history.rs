//! What happened to an order, from the log.

use super::read::missing;
use crate::{
    Shop,
    http::{ReadRefusals, Status, Time},
};
use axum::{Json, extract::State};
use commerce_domain::orders::{Order, OrderEvent};
use gallae_core::{EventSet, Id, RecordedEvent, Version};
use gallae_http::{Problem, StrictPath, auth::Caller};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

const PAGE: usize = 500;

/// One event of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderEventReply {
    /// Its place in the log.
    position: u64,
    /// Its place in the order's history.
    version: u64,
    event_id: Uuid,
    #[serde(rename = "type")]
    #[schema(example = "OrderConfirmed")]
    kind: String,
    occurred_at: Time,
    order_id: Uuid,
    user_id: Uuid,
    /// Where the order stood after it.
    status: Status,
    /// The flow it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    /// On whose behalf: `user:UUID`, `system:NAME` or `anonymous`.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<String>,
    /// Why it was cancelled or its refund rejected: stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<Uuid>,
    /// Of the order or of the refund, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
}

/// The history of an order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryReply {
    order_id: Uuid,
    events: Vec<OrderEventReply>,
}

/// Everything that happened to an order, oldest first.
#[utoipa::path(
    get, path = "/orders/{id}/events", tag = "Orders", operation_id = "orderEvents", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Which order.")),
    responses((status = 200, description = "Its history.", body = HistoryReply), ReadRefusals)
)]
pub(super) async fn order_events(
    State(shop): State<Shop>,
    caller: Caller,
    StrictPath(order): StrictPath<Id<Order>>,
) -> Result<Json<HistoryReply>, Problem> {
    let stream = order.stream();
    let (mut events, mut after) = (Vec::new(), Version::NONE);
    loop {
        let page = shop.platform.store().read_stream(&stream, after, PAGE).await?;
        for recorded in &page {
            after = recorded.version;
            events.extend(OrderEventReply::read(recorded).map_err(|error| Problem::internal(&error))?);
        }
        if page.len() < PAGE {
            break;
        }
    }
    match events.first() {
        Some(first) if caller.may_see(first.user_id) => {
            Ok(Json(HistoryReply { order_id: order.uuid(), events }))
        }
        _ => Err(missing()),
    }
}

impl OrderEventReply {
    /// `None` if it is not an event of an order.
    pub(super) fn read(recorded: &RecordedEvent) -> Result<Option<Self>, gallae_core::DecodeError> {
        let Some(order) = recorded.stream.id::<Order>() else { return Ok(None) };
        let event = OrderEvent::read(&recorded.event_type, recorded.schema_version, &recorded.payload)?;
        Ok(event.map(|event| Self::of(recorded, order.uuid(), &event)))
    }

    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    pub(super) fn customer(&self) -> Uuid {
        self.user_id
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    fn of(recorded: &RecordedEvent, order: Uuid, event: &OrderEvent) -> Self {
        let metadata = recorded.metadata.get().ok();
        let mut reply = Self {
            position: recorded.position.get(),
            version: recorded.version.get(),
            event_id: recorded.id.uuid(),
            kind: recorded.event_type.to_string(),
            occurred_at: Time(recorded.time),
            order_id: order,
            user_id: event.customer().uuid(),
            status: Status(event.status()),
            correlation_id: metadata.map(|metadata| metadata.correlation_id.to_string()),
            actor: metadata.map(|metadata| metadata.actor.to_string()),
            tracking_number: None,
            code: None,
            reason: None,
            refund_id: None,
            amount: None,
        };
        reply.details(event);
        reply
    }

    fn details(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Created(created) => self.amount = Some(created.total.amount),
            OrderEvent::Shipped { tracking_number, .. } => {
                self.tracking_number = Some(tracking_number.clone());
            }
            OrderEvent::Cancelled { code, reason, .. } => {
                (self.code, self.reason) = (Some(code.clone()), Some(reason.clone()));
            }
            OrderEvent::RefundRequested { request, .. } => {
                self.refund_id = Some(request.id.uuid());
                self.amount = Some(request.amount.amount);
                self.reason = Some(request.reason.clone());
            }
            OrderEvent::RefundRejected { refund, code, reason, .. } => {
                self.refund_id = Some(refund.uuid());
                (self.code, self.reason) = (Some(code.clone()), Some(reason.clone()));
            }
            OrderEvent::Refunded { refund, amount, .. } => {
                self.refund_id = Some(refund.uuid());
                self.amount = Some(amount.amount);
            }
            OrderEvent::Confirmed { .. } | OrderEvent::Approved { .. } | OrderEvent::Delivered { .. } => {}
        }
    }
}
