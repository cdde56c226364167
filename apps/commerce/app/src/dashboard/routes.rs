//! `GET /api/dashboard`.

use super::{
    figures::Figures,
    mine,
    period::{Bounds, Period},
    reply::{BucketReply, DashboardReply, FiguresReply, PeriodReply, TrendsReply},
};
use crate::{
    Shop,
    http::{ReadRefusals, Time},
};
use axum::{Json, extract::State, response::Response};
use commerce_domain::projections::{OrderViews, Sales};
use gallae_core::{CounterProjection, Id, Position, Projection};
use gallae_http::{AtLeast, Problem, StrictQuery, at_position, auth::Caller, codes};
use gallae_ports::{CounterBucket, CounterRange};
use serde::Deserialize;
use utoipa::IntoParams;

/// Over which period.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DashboardQuery {
    /// `today` unless said; the week begins on Monday.
    #[param(pattern = "^(today|week|month|year)$", default = "today")]
    period: Option<String>,
}

/// Orders, revenue and their trend. Operators see the shop, customers their own orders.
#[utoipa::path(
    get, path = "/api/dashboard", tag = "Orders", operation_id = "dashboard", security(("bearer" = [])), params(DashboardQuery),
    responses(
        (status = 200, description = "The figures.", body = DashboardReply, headers(("Gallae-Position" = u64))),
        ReadRefusals
    )
)]
pub(super) async fn dashboard(
    State(shop): State<Shop>,
    caller: Caller,
    at_least: AtLeast,
    StrictQuery(query): StrictQuery<DashboardQuery>,
) -> Result<Response, Problem> {
    let period = query.period.as_deref().map_or(Ok(Period::Today), str::parse);
    let period: Period =
        period.map_err(|known| Problem::new(codes::INVALID_PARAMETER, format!("period: {known}.")))?;
    let now = shop.platform.clock().now();
    let bounds = period.around(now, &shop.settings.zone).map_err(|error| Problem::internal(&error))?;
    let Counted { scope, position, all_time, buckets } = match caller.is_admin() {
        true => counted(&shop, at_least, &bounds).await?,
        false => counted_mine(&shop, at_least, &caller).await?,
    };
    let (name, bucket) = PeriodReply::words(period);
    let figures = Figures::within(&buckets, bounds.from, bounds.until);
    let previous = Figures::within(&buckets, bounds.before_from, bounds.before_until);
    let ends = bounds.starts.iter().skip(1).chain([&bounds.until]);
    let series = bounds.starts.iter().zip(ends);
    let reply = DashboardReply {
        scope,
        all_time: FiguresReply::from(&all_time),
        trends: TrendsReply::new(&figures, &previous),
        period: PeriodReply {
            name,
            from: Time(bounds.from),
            until: Time(bounds.until),
            zone: shop.settings.zone.iana_name().unwrap_or("UTC").to_owned(),
            figures: FiguresReply::from(&figures),
            bucket,
            series: series
                .map(|(start, end)| BucketReply::new(*start, &Figures::within(&buckets, *start, *end)))
                .collect(),
        },
    };
    Ok(at_position(position, Json(reply)))
}

struct Counted {
    scope: &'static str,
    position: Position,
    all_time: Figures,
    buckets: Vec<CounterBucket>,
}

async fn counted(shop: &Shop, at_least: AtLeast, bounds: &Bounds) -> Result<Counted, Problem> {
    let position = shop.reached(Sales::NAME, &at_least).await?;
    let range = CounterRange { prefix: String::new(), from: bounds.before_from, until: bounds.until };
    let buckets = shop.counters.read(Sales::NAME, &range).await?;
    let totals = shop.counters.totals(Sales::NAME).await?;
    let all_time = Figures::of(totals.iter().map(|(counter, sum)| (counter.as_str(), *sum)));
    Ok(Counted { scope: "shop", position, all_time, buckets })
}

async fn counted_mine(shop: &Shop, at_least: AtLeast, caller: &Caller) -> Result<Counted, Problem> {
    let position = shop.reached(OrderViews::NAME, &at_least).await?;
    let buckets = mine::buckets(&*shop.views, Id::new(caller.user)).await?;
    let all_time = Figures::of(buckets.iter().map(|bucket| (bucket.counter.as_str(), bucket.sum)));
    Ok(Counted { scope: "mine", position, all_time, buckets })
}
