//! What operators do with orders.

use super::{body::ShipBody, reply::ChangedReply};
use crate::{
    Shop,
    http::{Answer, Change, KeyHeader, MatchHeader, WriteRefusals, body_of},
    shop::KEEP_REQUESTS,
};
use axum::{extract::State, http::StatusCode};
use commerce_domain::orders::{
    Order, OrderStatus,
    commands::{ApproveOrder, DeliverOrder, ShipOrder},
};
use gallae_core::{Command, Id};
use gallae_http::{IdempotencyKey, IfMatch, Problem, StrictJson, StrictPath, auth::Operator};
use serde_json::json;

/// Let a confirmed order go to the warehouse.
#[utoipa::path(
    post, path = "/orders/{id}/approve", tag = "Orders", operation_id = "approveOrder", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "Which order."),
        MatchHeader,
        KeyHeader
    ),
    responses(
        (status = 200, description = "It is approved.", body = ChangedReply, headers(("ETag" = String), ("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn approve_order(
    State(shop): State<Shop>,
    operator: Operator,
    StrictPath(order): StrictPath<Id<Order>>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<Answer, Problem> {
    let asked = Asked { operator, order, if_match, key, operation: "POST /orders/{id}/approve" };
    asked.carry_out(&shop, ApproveOrder { order }, OrderStatus::Approved, "").await
}

/// Ship an approved order.
#[utoipa::path(
    post, path = "/orders/{id}/ship", tag = "Orders", operation_id = "shipOrder", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "Which order."),
        MatchHeader,
        KeyHeader
    ),
    request_body = ShipBody,
    responses(
        (status = 200, description = "It is on its way.", body = ChangedReply, headers(("ETag" = String), ("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn ship_order(
    State(shop): State<Shop>,
    operator: Operator,
    StrictPath(order): StrictPath<Id<Order>>,
    if_match: IfMatch,
    key: IdempotencyKey,
    StrictJson { value: ShipBody { tracking_number }, .. }: StrictJson<ShipBody>,
) -> Result<Answer, Problem> {
    let asked = Asked { operator, order, if_match, key, operation: "POST /orders/{id}/ship" };
    let command = ShipOrder { order, tracking_number: tracking_number.clone() };
    asked.carry_out(&shop, command, OrderStatus::Shipped, &tracking_number).await
}

/// A shipped order has arrived.
#[utoipa::path(
    post, path = "/orders/{id}/deliver", tag = "Orders", operation_id = "deliverOrder", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "Which order."),
        MatchHeader,
        KeyHeader
    ),
    responses(
        (status = 200, description = "It has arrived.", body = ChangedReply, headers(("ETag" = String), ("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn deliver_order(
    State(shop): State<Shop>,
    operator: Operator,
    StrictPath(order): StrictPath<Id<Order>>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<Answer, Problem> {
    let asked = Asked { operator, order, if_match, key, operation: "POST /orders/{id}/deliver" };
    asked.carry_out(&shop, DeliverOrder { order }, OrderStatus::Delivered, "").await
}

/// What an operator asks of an order.
struct Asked {
    operator: Operator,
    order: Id<Order>,
    if_match: IfMatch,
    key: IdempotencyKey,
    operation: &'static str,
}

impl Asked {
    async fn carry_out<C: Command<Aggregate = Order>>(
        self,
        shop: &Shop,
        command: C,
        after: OrderStatus,
        detail: &str,
    ) -> Result<Answer, Problem> {
        let Self { operator: Operator(caller), order, if_match, key, operation } = self;
        let content = || json!([order.to_string(), detail]);
        let once = shop.once(&caller.context, &key, operation, KEEP_REQUESTS, content)?;
        let reply = body_of(&ChangedReply::new(order.uuid(), after))?;
        let (metadata, status) = (caller.context.metadata(), StatusCode::OK);
        Change { command, metadata, if_match, once, status, reply }.send(shop).await
    }
}
