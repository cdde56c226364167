//! Orders as they happen.

use super::{history::OrderEventReply, read::visible};
use crate::{Shop, http::ReadRefusals};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use commerce_domain::orders::OrderStatus;
use gallae_http::{Problem, StrictQuery, auth::Caller, codes, follow, last_event_id};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Events that lead to this status; `CREATED` is `PENDING`.
    #[param(pattern = "^(CREATED|PENDING|CONFIRMED|APPROVED|SHIPPED|DELIVERED|CANCELLED|REFUNDED)$")]
    status: Option<String>,
    /// Operators: orders of this customer.
    user_id: Option<Uuid>,
}

/// My orders' events as they happen; operators see everybody's. Server-Sent Events.
///
/// Each event's `id` is its position in the log: a client that reconnects with `Last-Event-ID` misses nothing and gets nothing
/// twice. Without it the stream begins now. The stream ends when the access token's time is over: reconnect with a new one.
#[utoipa::path(
    get, path = "/orders/stream", tag = "Orders", operation_id = "streamOrders", security(("bearer" = [])),
    params(
        StreamQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "Go on after this position.")
    ),
    responses(
        (status = 200, description = "Events; `data` is an event of an order's history.", body = String,
         content_type = "text/event-stream"),
        ReadRefusals
    )
)]
pub(super) async fn stream_orders(
    State(shop): State<Shop>,
    caller: Caller,
    StrictQuery(query): StrictQuery<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let customer = visible(&caller, query.user_id)?.map(|customer| customer.uuid());
    let status = query.status.as_deref().map(str::parse::<OrderStatus>).transpose();
    let status =
        status.map_err(|reason| Problem::new(codes::INVALID_PARAMETER, format!("status: {reason}.")))?;
    let head = shop.platform.store().head().await?;
    let after = last_event_id(&headers, head)?;
    if after > head {
        return Err(Problem::new(codes::INVALID_TOKEN_POSITION, format!("The log ends at position {head}."))
            .member("head", head.get()));
    }
    let stopping = shop.stopping.clone();
    let session = shop.platform.clock().sleep(shop.tokens.lifetime());
    let end = async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = session => {}
        }
    };
    let show = move |recorded: &std::sync::Arc<gallae_core::RecordedEvent>| {
        let event = OrderEventReply::read(recorded).inspect_err(
            |error| tracing::warn!(%error, position = %recorded.position, "an order's event cannot be shown"),
        );
        let event = event.ok().flatten()?;
        let wanted = customer.is_none_or(|customer| event.customer() == customer)
            && status.is_none_or(|status| event.status().0 == status);
        wanted.then(|| (event.kind().to_owned(), event))
    };
    Ok(follow(&**shop.platform.store(), after, end, show).into_response())
}
