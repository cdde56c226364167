//! Cancelling: a signal to the checkout before money has moved, a refund after.

use super::{body::CancelBody, confirm::untold, read::missing, reply::ChangedReply};
use crate::{
    Shop,
    http::{Answer, KeyHeader, WriteRefusals, body_of},
    shop::{KEEP_REQUESTS, Once},
};
use axum::{extract::State, http::StatusCode};
use commerce_domain::{
    orders::{
        Order, OrderRejection, OrderStatus, Placed, RefundOutcome, RefundRequest,
        commands::{RequestRefund, Returns},
    },
    payments::{Payment, PaymentRejection},
    sagas::{Checkout, Refund},
};
use gallae_core::{Id, saga::Cause};
use gallae_http::{AtLeast, IdempotencyKey, Problem, StrictJson, StrictPath, auth::Caller, codes};
use gallae_ports::{AppendBatch, AppendError, IdempotencyRecord};
use gallae_runtime::{
    dispatcher::{Request, SendError},
    saga::InterventionError,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// How often a payment is looked at while its capture is under way.
const LOOK: Duration = Duration::from_millis(20);

/// Cancel an order.
///
/// A pending order's checkout is asked to turn back; a paid order is refunded. Either takes a moment: follow the order. Once it
/// has been shipped, operators alone can have it paid back.
#[utoipa::path(
    delete, path = "/orders/{id}", tag = "Orders", operation_id = "cancelOrder", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "Which order."),
        KeyHeader
    ),
    request_body(content = Option<CancelBody>, content_type = "application/json"),
    responses(
        (status = 202, description = "The cancellation is under way.", body = ChangedReply, headers(("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn cancel_order(
    State(shop): State<Shop>,
    caller: Caller,
    StrictPath(order): StrictPath<Id<Order>>,
    key: IdempotencyKey,
    at_least: AtLeast,
    body: Option<StrictJson<Option<CancelBody>>>,
) -> Result<Answer, Problem> {
    let reason = body.and_then(|body| body.value?.reason).unwrap_or_default();
    if reason.chars().count() > 500 {
        return Err(Problem::new(codes::INVALID_BODY, "Nothing was changed.").field(
            "/reason",
            codes::INVALID_BODY.code,
            "at most 500 characters",
        ));
    }
    let reason = if reason.trim().is_empty() { "cancelled by the customer".to_owned() } else { reason };
    let content = || json!([order.to_string(), reason]);
    let once = shop.once(&caller.context, &key, "DELETE /orders/{id}", KEEP_REQUESTS, content)?;
    let wish = Wish { shop, caller, order, reason, once, patience: at_least.wait };
    wish.carry_out().await
}

/// A customer's wish to cancel.
struct Wish {
    shop: Shop,
    caller: Caller,
    order: Id<Order>,
    reason: String,
    once: Option<Once>,
    patience: Duration,
}

impl Wish {
    async fn carry_out(&self) -> Result<Answer, Problem> {
        let placed = self.placed().await?;
        if let Some(first) = self.shop.replay(self.once.as_ref()).await? {
            return Ok(Answer::again(StatusCode::ACCEPTED, first, self.shop.platform.store().head().await?));
        }
        if placed.status == OrderStatus::Pending
            && let Some(answer) = self.signal().await?
        {
            return Ok(answer);
        }
        self.refund().await
    }

    /// The order, if it is the caller's.
    async fn placed(&self) -> Result<Placed, Problem> {
        let (state, _) = self.shop.platform.peek(self.order).await?;
        let visible = |placed: &&Placed| self.caller.may_see(placed.customer.id.uuid());
        state.placed().filter(visible).cloned().ok_or_else(missing)
    }

    /// Asks the checkout to turn back; `None` when it is past that.
    async fn signal(&self) -> Result<Option<Answer>, Problem> {
        let cause = if self.caller.is_admin() { Cause::Operator } else { Cause::UserCancel };
        let saga = Checkout::id(self.order);
        let actor = self.caller.context.actor.clone();
        let position = match self.shop.platform.sagas().cancel(saga, cause, &self.reason, actor).await {
            Ok(intervention) => intervention.position,
            Err(InterventionError::TooLate | InterventionError::Ended { .. }) => return Ok(None),
            Err(error) => return Err(untold(error)),
        };
        let reply = ChangedReply {
            cancel_requested: true,
            saga_id: Some(saga.uuid()),
            ..ChangedReply::new(self.order.uuid(), OrderStatus::Pending)
        };
        let body = body_of(&reply)?;
        self.remember(&body).await?;
        Ok(Some(Answer { position, ..Answer::plain(StatusCode::ACCEPTED, body) }))
    }

    /// Keeps the answer for repetitions. After the signal, not with it: signalling twice is harmless.
    async fn remember(&self, body: &bytes::Bytes) -> Result<(), Problem> {
        let Some(once) = &self.once else { return Ok(()) };
        let now = self.shop.platform.clock().now();
        let mut batch = AppendBatch::new(now, Arc::new(self.caller.context.metadata()));
        batch.idempotency = Some(IdempotencyRecord {
            key: once.key.clone(),
            fingerprint: once.fingerprint.clone(),
            response: body.clone(),
            expires_at: once.expires_at,
        });
        match self.shop.platform.store().append(batch).await {
            Ok(_) | Err(AppendError::Duplicate(_)) => Ok(()),
            Err(AppendError::Unavailable(fault) | AppendError::Indeterminate(fault)) => Err(fault.into()),
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    /// Asks for all of the money back.
    async fn refund(&self) -> Result<Answer, Problem> {
        let placed = self.captured().await?;
        // A refund that came to nothing is asked for anew; one under way or done is the same wish.
        let rejected =
            placed.refunds.values().filter(|refund| refund.outcome == RefundOutcome::Rejected).count();
        let refund = RefundRequest::derived_id(self.order, &format!("cancel-{rejected}"));
        let reply = ChangedReply {
            cancel_requested: true,
            saga_id: Some(Refund::id(refund).uuid()),
            refund_id: Some(refund.uuid()),
            ..ChangedReply::new(self.order.uuid(), placed.status)
        };
        let body = body_of(&reply)?;
        let command = RequestRefund {
            order: self.order,
            refund,
            amount: None,
            returns: Returns::All,
            reason: self.reason.clone(),
            requested_at: None,
        };
        let mut request = Request::new(command, self.caller.context.metadata());
        if let Some(once) = &self.once {
            request = request.once(once.answering(body.clone()));
        }
        let receipt =
            self.shop.platform.send(request).await.map_err(|error: SendError<_>| Problem::from(error))?;
        Ok(Answer { version: gallae_core::Version::NONE, ..Answer::of(StatusCode::ACCEPTED, &receipt, body) })
    }

    /// The order once its money is taken: between the confirmation and the capture there is nothing to pay back yet.
    async fn captured(&self) -> Result<Placed, Problem> {
        let clock = self.shop.platform.clock();
        let began = clock.monotonic();
        loop {
            let placed = self.placed().await?;
            let refuse = |wanted| {
                let status = placed.status;
                Err(Problem::from_rejection(&OrderRejection::WrongStatus { status, wanted }))
            };
            match placed.status {
                OrderStatus::Cancelled | OrderStatus::Refunded => {
                    return refuse("PENDING, CONFIRMED or APPROVED");
                }
                OrderStatus::Shipped | OrderStatus::Delivered if !self.caller.is_admin() => {
                    return refuse("PENDING, CONFIRMED or APPROVED");
                }
                _ => {}
            }
            let (payment, _) = self.shop.platform.peek(Payment::of(self.order)).await?;
            if payment.captured().is_some() {
                return Ok(placed);
            }
            if clock.monotonic().saturating_sub(began) >= self.patience {
                return Err(Problem::from_rejection(&PaymentRejection::NotCaptured)
                    .retry_after(Duration::from_secs(1)));
            }
            clock.sleep(LOOK).await;
        }
    }
}
