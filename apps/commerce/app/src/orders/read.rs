//! Orders as their customers and operators see them.

use super::{
    queries::{self, OrderFilter},
    reply::{OrderReply, OrdersPage},
};
use crate::{
    Shop,
    http::{ReadRefusals, Sealed},
};
use axum::{Json, extract::State, response::Response};
use commerce_domain::{
    orders::{Order, OrderRejection, OrderStatus},
    projections::{OrderView, OrderViews},
};
use gallae_core::{Id, Position, Projection, Timestamp, Version};
use gallae_http::{
    AtLeast, EntityTag, PageParams, Problem, StrictPath, StrictQuery, at_position, auth::Caller, codes,
};
use gallae_ports::Paging;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrdersQuery {
    /// A status of an order; `CREATED` is `PENDING`.
    #[param(pattern = "^(CREATED|PENDING|CONFIRMED|APPROVED|SHIPPED|DELIVERED|CANCELLED|REFUNDED)$")]
    status: Option<String>,
    /// Placed then or later: a day of the shop's time zone, or an instant.
    #[param(example = "2026-01-31")]
    date_from: Option<String>,
    /// Placed on that day or before, or before that instant.
    #[param(example = "2026-01-31T12:00:00Z")]
    date_to: Option<String>,
    /// Operators: of this customer.
    user_id: Option<Uuid>,
    /// From 1.
    #[param(minimum = 1, maximum = 1000000)]
    page: Option<u32>,
    /// Orders a page, 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `nextCursor` of the page before; replaces `page`.
    #[param(max_length = 4000)]
    cursor: Option<String>,
}

/// My orders, newest first. Operators see everybody's.
#[utoipa::path(
    get, path = "/orders", tag = "Orders", operation_id = "listOrders", security(("bearer" = [])), params(OrdersQuery),
    responses(
        (status = 200, description = "A page.", body = OrdersPage, headers(("Gallae-Position" = u64))),
        ReadRefusals
    )
)]
pub(super) async fn list_orders(
    State(shop): State<Shop>,
    caller: Caller,
    at_least: AtLeast,
    StrictQuery(query): StrictQuery<OrdersQuery>,
) -> Result<Response, Problem> {
    let page = PageParams { page: query.page, limit: query.limit, cursor: query.cursor.clone() };
    page.check()?;
    let filter = filter(&shop, &caller, &query)?;
    let cursors = Sealed::new(&shop.secret, "commerce list of orders");
    let paging = match &page.cursor {
        Some(cursor) => {
            let bad = |_| Problem::new(codes::INVALID_PARAMETER, "cursor: send nextCursor back as it came.");
            Paging::After {
                cursor: cursors.unwrap("orders", cursor).map_err(bad)?,
                limit: page.limit() as usize,
            }
        }
        None => page.paging(),
    };
    let position = shop.reached(OrderViews::NAME, &at_least).await?;
    let (orders, found) = queries::list(&*shop.views, &filter, paging).await?;
    let reply = OrdersPage {
        orders: orders.iter().filter_map(|order| OrderReply::of(order, None)).collect(),
        total: found.total,
        page: page.cursor.is_none().then(|| page.page()),
        limit: page.limit(),
        total_pages: found.total.map(|total| page.total_pages(total)),
        next_cursor: found.next.map(|next| cursors.wrap("orders", &next)),
    };
    Ok(at_position(position, Json(reply)))
}

fn filter(shop: &Shop, caller: &Caller, query: &OrdersQuery) -> Result<OrderFilter, Problem> {
    let bad = |name: &str, reason: &str| Problem::new(codes::INVALID_PARAMETER, format!("{name}: {reason}."));
    let customer = visible(caller, query.user_id)?;
    let status = query.status.as_deref().map(str::parse::<OrderStatus>).transpose();
    let status = status.map_err(|reason| bad("status", &reason))?;
    let expected = "a day such as 2026-01-31, or an instant in RFC 3339";
    let instant = |text: &Option<String>, name, next_day| {
        let instant =
            text.as_deref().map(|text| instant_of(shop, text, next_day).ok_or_else(|| bad(name, expected)));
        instant.transpose()
    };
    let from = instant(&query.date_from, "dateFrom", false)?;
    let until = instant(&query.date_to, "dateTo", true)?;
    Ok(OrderFilter { customer, status, from, until })
}

/// Whose orders a caller sees: a customer their own; an operator everybody's, or those of one.
pub(super) fn visible(
    caller: &Caller,
    wanted: Option<Uuid>,
) -> Result<Option<Id<commerce_domain::users::User>>, Problem> {
    match wanted {
        Some(user) if !caller.may_see(user) => {
            Err(Problem::new(codes::FORBIDDEN, "Only operators see the orders of others."))
        }
        Some(user) => Ok(Some(Id::new(user))),
        None if caller.is_admin() => Ok(None),
        None => Ok(Some(Id::new(caller.user))),
    }
}

/// The start of a day, or of the next, in the shop's time zone; or an instant.
fn instant_of(shop: &Shop, text: &str, next_day: bool) -> Option<Timestamp> {
    if let Ok(day) = text.parse::<jiff::civil::Date>()
        && text.len() == "2026-01-31".len()
    {
        let day = if next_day { day.tomorrow().ok()? } else { day };
        let start = day.to_zoned(shop.settings.zone.clone()).ok()?;
        return Some(Timestamp::from_micros(start.timestamp().as_microsecond()));
    }
    text.parse().ok()
}

/// One order with everything that is known of it. Its `ETag` goes into `If-Match` of a change.
#[utoipa::path(
    get, path = "/orders/{id}", tag = "Orders", operation_id = "getOrder", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Which order.")),
    responses(
        (status = 200, description = "The order.", body = OrderReply, headers(("ETag" = String), ("Gallae-Position" = u64))),
        ReadRefusals
    )
)]
pub(super) async fn get_order(
    State(shop): State<Shop>,
    caller: Caller,
    StrictPath(id): StrictPath<Id<Order>>,
    at_least: AtLeast,
) -> Result<Response, Problem> {
    let (view, position) = view_of(&shop, id, at_least).await?;
    let customer = view.customer.as_ref().map(|customer| customer.id.uuid());
    if !customer.is_some_and(|customer| caller.may_see(customer)) {
        return Err(missing());
    }
    let saga = match view.saga_id {
        Some(saga) => shop.platform.saga_store().saga(saga).await?,
        None => None,
    };
    let reply = OrderReply::of(&view, saga.map(Into::into)).ok_or_else(missing)?;
    Ok(EntityTag(view.version).on(at_position(position, Json(reply))))
}

/// The view of an order. Where there is an order and no view yet, the view is on its way and waited for.
async fn view_of(shop: &Shop, id: Id<Order>, at_least: AtLeast) -> Result<(OrderView, Position), Problem> {
    let known = |view: &OrderView| view.status.is_some();
    let position = shop.reached(OrderViews::NAME, &at_least).await?;
    if let Some(view) = queries::by_id(&*shop.views, id).await?.filter(known) {
        return Ok((view, position));
    }
    if shop.platform.store().stream_head(&id.stream()).await? == Version::NONE {
        return Err(missing());
    }
    let head = shop.platform.store().head().await?;
    let position = shop.reached(OrderViews::NAME, &AtLeast { position: head, ..at_least }).await?;
    let view = queries::by_id(&*shop.views, id).await?.filter(known);
    view.map(|view| (view, position)).ok_or_else(missing)
}

/// The same for an order that does not exist and for another customer's.
pub(super) fn missing() -> Problem {
    Problem::from_rejection(&OrderRejection::NotFound)
}
