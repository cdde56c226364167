//! Orders found by text.

use super::{queries, reply::AmountReply};
use crate::{
    Shop,
    http::{ReadRefusals, Status, Time},
};
use axum::{Json, extract::State, response::Response};
use commerce_domain::projections::{OrderDocument, OrderSearch};
use gallae_core::Projection;
use gallae_http::{AtLeast, PageParams, Problem, StrictQuery, at_position, auth::Caller, codes};
use gallae_ports::Highlight;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TextQuery {
    /// Text in order id, customer, items, address. Korean words match anywhere, from two syllables on.
    #[param(min_length = 1, max_length = 200, example = "강남")]
    q: String,
    /// From 1.
    #[param(minimum = 1, maximum = 1000000)]
    page: Option<u32>,
    /// Hits a page, 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Orders that were found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SearchReply {
    hits: Vec<HitReply>,
    total: u64,
    page: u32,
    limit: u32,
    total_pages: u64,
}

/// An order that was found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HitReply {
    order_id: String,
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    customer_name: String,
    customer_email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<AmountReply>,
    items: Vec<String>,
    shipping_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Time>,
    /// Higher is better; comparable within one search.
    score: f64,
    highlights: Vec<HighlightReply>,
}

/// A piece of text with what matched in it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HighlightReply {
    /// Where it stands, such as `address`.
    field: &'static str,
    parts: Vec<PartReply>,
}

/// Text that matched, or text around it.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PartReply {
    text: String,
    matched: bool,
}

/// Orders whose id, customer, items or address match a text, best first. Customers search their own.
#[utoipa::path(
    get, path = "/api/search", tag = "Orders", operation_id = "searchOrders", security(("bearer" = [])), params(TextQuery),
    responses(
        (status = 200, description = "What was found.", body = SearchReply, headers(("Gallae-Position" = u64))),
        ReadRefusals
    )
)]
pub(super) async fn search_orders(
    State(shop): State<Shop>,
    caller: Caller,
    at_least: AtLeast,
    StrictQuery(query): StrictQuery<TextQuery>,
) -> Result<Response, Problem> {
    let page = PageParams { page: query.page, limit: query.limit, cursor: None };
    page.check()?;
    let text = query.q.trim();
    if text.is_empty() || query.q.chars().count() > 200 {
        return Err(Problem::new(codes::INVALID_PARAMETER, "q: 1 to 200 characters."));
    }
    let customer = super::read::visible(&caller, None)?;
    let position = shop.reached(OrderSearch::NAME, &at_least).await?;
    let (found, total) = queries::matching(&*shop.search, text, customer, page.paging()).await?;
    let reply = SearchReply {
        hits: found.into_iter().map(HitReply::of).collect(),
        total,
        page: page.page(),
        limit: page.limit(),
        total_pages: page.total_pages(total),
    };
    Ok(at_position(position, Json(reply)))
}

impl HitReply {
    fn of(found: queries::Found) -> Self {
        let queries::Found { order, score, highlights } = found;
        let OrderDocument {
            order_id,
            user_id,
            status,
            customer_name,
            customer_email,
            total,
            items,
            address,
            created_at,
            ..
        } = order;
        Self {
            order_id,
            user_id,
            status: status.map(Status),
            customer_name,
            customer_email,
            total: total.map(|total| AmountReply::new(total.amount, total.currency)),
            items,
            shipping_address: address,
            created_at: created_at.map(Time),
            score,
            highlights: highlights.iter().map(HighlightReply::of).collect(),
        }
    }
}

impl HighlightReply {
    /// Parts instead of offsets: bytes here, UTF-16 in a browser, and markup would need escaping.
    fn of(highlight: &Highlight) -> Self {
        let text = |from: usize, to: usize| highlight.text.get(from..to).unwrap_or_default().to_owned();
        let mut parts = Vec::new();
        let mut at = 0;
        for &(from, to) in &highlight.matches {
            parts.push(PartReply { text: text(at, from), matched: false });
            parts.push(PartReply { text: text(from, to), matched: true });
            at = to;
        }
        parts.push(PartReply { text: text(at, highlight.text.len()), matched: false });
        parts.retain(|part| !part.text.is_empty());
        Self { field: highlight.field, parts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_up_the_text() {
        let text = "서울시 강남구 강남대로".to_owned();
        let at: Vec<_> = text.match_indices("강남").map(|(at, found)| (at, at + found.len())).collect();
        let reply = HighlightReply::of(&Highlight { field: "address", text: text.clone(), matches: at });
        let joined: String = reply.parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(joined, text);
        let matched: Vec<_> = reply.parts.iter().filter(|part| part.matched).map(|part| &part.text).collect();
        assert_eq!(matched, ["강남", "강남"]);
    }
}
