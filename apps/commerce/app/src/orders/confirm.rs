//! Confirming by hand.

use super::{body::ConfirmBody, place::saga_end, reply::ChangedReply};
use crate::{
    Shop, codes,
    http::{Answer, PreferHeader, WriteRefusals, body_of},
};
use axum::{extract::State, http::StatusCode};
use commerce_domain::{
    orders::{Order, OrderRejection, OrderStatus},
    payments::{Payment, PaymentStatus},
    sagas::Checkout,
};
use gallae_core::Id;
use gallae_http::{AtLeast, Problem, StrictJson, StrictPath, auth::Operator};
use gallae_runtime::saga::InterventionError;
use gallae_server::sagas::intervention_problem;

/// Confirm a pending order by hand: its checkout is told to go on at once.
///
/// The checkout alone sells the stock and confirms, so an order is never confirmed without its goods. The payment must be the
/// order's own and authorised.
#[utoipa::path(
    put, path = "/orders/{id}/confirm", tag = "Orders", operation_id = "confirmOrder", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "Which order."),
        PreferHeader
    ),
    request_body = ConfirmBody,
    responses(
        (status = 200, description = "It is confirmed.", body = ChangedReply),
        (status = 202, description = "The checkout was told and is on its way.", body = ChangedReply),
        WriteRefusals
    )
)]
pub(super) async fn confirm_order(
    State(shop): State<Shop>,
    Operator(operator): Operator,
    StrictPath(order): StrictPath<Id<Order>>,
    at_least: AtLeast,
    StrictJson { value: ConfirmBody { payment_id }, .. }: StrictJson<ConfirmBody>,
) -> Result<Answer, Problem> {
    let refuse = |rejection: OrderRejection| Problem::from_rejection(&rejection);
    let (state, _) = shop.platform.peek(order).await?;
    let status = state.placed().ok_or_else(|| refuse(OrderRejection::NotFound))?.status;
    if payment_id != Payment::of(order).uuid() {
        return Err(Problem::new(
            codes::PAYMENT_MISMATCH,
            "Nothing was changed. payment.id of the order is its own.",
        )
        .field("/paymentId", codes::PAYMENT_MISMATCH.code, "not the payment of this order"));
    }
    match status {
        OrderStatus::Pending => {}
        OrderStatus::Confirmed => return answer(order, status),
        _ => return Err(refuse(OrderRejection::WrongStatus { status, wanted: "PENDING" })),
    }
    let (payment, _) = shop.platform.peek(Payment::of(order)).await?;
    if payment.status() != PaymentStatus::Authorized {
        return Err(
            refuse(OrderRejection::PaymentNotAuthorized).member("paymentStatus", payment.status().as_str())
        );
    }
    let saga = Checkout::id(order);
    let told = shop.platform.sagas().retry(saga, "confirmed by hand", operator.context.actor.clone()).await;
    match told {
        // One that has just ended, or has nothing to hurry, needs no telling.
        Ok(_) | Err(InterventionError::Ended { .. }) => {}
        Err(error) => return Err(untold(error)),
    }
    saga_end(&shop, saga, at_least.wait).await?;
    let (state, _) = shop.platform.peek(order).await?;
    answer(order, state.placed().map_or(OrderStatus::Pending, |placed| placed.status))
}

fn answer(order: Id<Order>, status: OrderStatus) -> Result<Answer, Problem> {
    let pending = status == OrderStatus::Pending;
    let reply = ChangedReply {
        confirm_requested: pending,
        saga_id: Some(Checkout::id(order).uuid()),
        ..ChangedReply::new(order.uuid(), status)
    };
    let code = if pending { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(Answer::plain(code, body_of(&reply)?))
}

/// Why a checkout could not be told something. Nothing was changed.
pub(super) fn untold(error: InterventionError) -> Problem {
    match &error {
        InterventionError::Unavailable => {
            Problem::new(codes::CHECKOUT_UNAVAILABLE, "Nothing was changed. Try again shortly.")
                .member("written", false)
                .retry_after(std::time::Duration::from_secs(1))
        }
        InterventionError::Refused { status, advice } => Problem::new(
            codes::CHECKOUT_HELD,
            format!("The checkout is {status}: {advice}. Nothing was changed."),
        )
        .member("sagaStatus", status.as_str()),
        InterventionError::Unrunnable(reason) => {
            Problem::new(codes::CHECKOUT_HELD, format!("The checkout cannot be taken up: {reason}."))
        }
        _ => intervention_problem(error),
    }
}
