//! Figures as the API shows them.

use super::{figures::Figures, period::Period};
use crate::http::Time;
use crate::orders::AmountReply;
use commerce_domain::{money::Currency, orders::OrderStatus};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Figures over all time, and over a period.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DashboardReply {
    /// `shop` for operators; `mine`, a customer's own orders.
    #[schema(example = "shop")]
    pub(super) scope: &'static str,
    #[serde(flatten)]
    pub(super) all_time: FiguresReply,
    pub(super) period: PeriodReply,
    pub(super) trends: TrendsReply,
}

/// What counters add up to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FiguresReply {
    /// Orders placed.
    total: i64,
    /// Orders by where they stand now.
    #[schema(value_type = BTreeMap<String, i64>)]
    by_status: BTreeMap<&'static str, i64>,
    /// Pieces of confirmed orders.
    items_sold: i64,
    /// Pieces that came back.
    items_returned: i64,
    /// Money taken less money paid back, by currency.
    revenue: Vec<AmountReply>,
    /// Money paid back, by currency.
    refunds: Vec<AmountReply>,
}

impl From<&Figures> for FiguresReply {
    fn from(figures: &Figures) -> Self {
        let count = |status: &OrderStatus| figures.by_status.get(status).copied().unwrap_or_default();
        Self {
            total: figures.orders,
            by_status: OrderStatus::ALL.iter().map(|status| (status.as_str(), count(status))).collect(),
            items_sold: figures.items_sold,
            items_returned: figures.items_returned,
            revenue: amounts(&figures.revenue),
            refunds: amounts(&figures.refunds),
        }
    }
}

fn amounts(sums: &BTreeMap<Currency, i64>) -> Vec<AmountReply> {
    sums.iter().map(|(currency, sum)| AmountReply::new(*sum, *currency)).collect()
}

/// Figures of a period.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeriodReply {
    /// `today`, `week`, `month` or `year`.
    #[schema(example = "today")]
    pub(super) name: &'static str,
    pub(super) from: Time,
    pub(super) until: Time,
    /// Whose days these are.
    #[schema(example = "Asia/Seoul")]
    pub(super) zone: String,
    #[serde(flatten)]
    pub(super) figures: FiguresReply,
    /// `hour`, `day` or `month`.
    #[schema(example = "hour")]
    pub(super) bucket: &'static str,
    pub(super) series: Vec<BucketReply>,
}

/// Figures of one bucket of the series.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BucketReply {
    start: Time,
    orders: i64,
    revenue: Vec<AmountReply>,
}

impl BucketReply {
    pub(super) fn new(start: gallae_core::Timestamp, figures: &Figures) -> Self {
        Self { start: Time(start), orders: figures.orders, revenue: amounts(&figures.revenue) }
    }
}

/// This period so far against the same stretch of the one before.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrendsReply {
    orders: TrendReply,
    revenue: Vec<RevenueTrendReply>,
}

/// A figure now and before.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TrendReply {
    current: i64,
    previous: i64,
    /// 0.25 is a quarter more; absent when there was nothing before.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<f64>,
}

/// Revenue now and before.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RevenueTrendReply {
    currency: crate::http::CurrencyCode,
    #[serde(flatten)]
    trend: TrendReply,
}

impl TrendsReply {
    pub(super) fn new(current: &Figures, previous: &Figures) -> Self {
        let currencies: std::collections::BTreeSet<_> =
            current.revenue.keys().chain(previous.revenue.keys()).collect();
        let of = |figures: &Figures, currency| figures.revenue.get(currency).copied().unwrap_or_default();
        Self {
            orders: TrendReply::new(current.orders, previous.orders),
            revenue: currencies
                .into_iter()
                .map(|currency| RevenueTrendReply {
                    currency: crate::http::CurrencyCode(*currency),
                    trend: TrendReply::new(of(current, currency), of(previous, currency)),
                })
                .collect(),
        }
    }
}

impl TrendReply {
    fn new(current: i64, previous: i64) -> Self {
        let change = (previous > 0).then(|| (current as f64 - previous as f64) / previous as f64);
        Self { current, previous, change }
    }
}

impl PeriodReply {
    pub(super) fn words(period: Period) -> (&'static str, &'static str) {
        (period.as_str(), period.bucket())
    }
}
