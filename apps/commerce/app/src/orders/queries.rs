//! Questions about orders.

use bytes::Bytes;
use commerce_domain::{
    orders::{Order, OrderStatus},
    projections::{OrderDocument, OrderSearch, OrderView, OrderViews},
    users::User,
};
use gallae_core::{Id, Projection, Timestamp, ViewKey};
use gallae_ports::{
    Condition, Highlight, Order as SortOrder, Paging, SearchQuery, SearchStore, StoreFault, ViewPage,
    ViewQuery, ViewStore,
};
use serde::de::DeserializeOwned;

/// One order. It has no status while the view knows only its payment.
///
/// # Errors
/// When the store cannot be read or the document does not fit the program.
pub async fn by_id(views: &dyn ViewStore, id: Id<Order>) -> Result<Option<OrderView>, StoreFault> {
    let stored = views.get(OrderViews::NAME, &ViewKey::from(id.to_string())).await?;
    stored.map(|stored| read(&stored.document)).transpose()
}

/// Which orders.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderFilter {
    /// Of this customer.
    pub customer: Option<Id<User>>,
    /// That stand here.
    pub status: Option<OrderStatus>,
    /// Placed then or later.
    pub from: Option<Timestamp>,
    /// Placed before.
    pub until: Option<Timestamp>,
}

impl OrderFilter {
    fn conditions(&self) -> Vec<Condition> {
        // A view that knows only the payment has no time, and so is never at least any.
        let from = self.from.unwrap_or(Timestamp::from_micros(i64::MIN));
        let mut conditions = vec![Condition::at_least("created_at", from)];
        conditions.extend(self.customer.map(|customer| Condition::is("user_id", customer.to_string())));
        conditions.extend(self.status.map(|status| Condition::is("status", status.as_str())));
        conditions.extend(self.until.map(|until| Condition::below("created_at", until)));
        conditions
    }
}

/// Orders, newest first.
///
/// # Errors
/// When the store cannot be read or a document does not fit the program.
pub async fn list(
    views: &dyn ViewStore,
    filter: &OrderFilter,
    paging: Paging,
) -> Result<(Vec<OrderView>, ViewPage), StoreFault> {
    let count = matches!(paging, Paging::Page { .. });
    let order = Some(SortOrder { field: "created_at", descending: true });
    let query = ViewQuery { conditions: filter.conditions(), order, paging, count };
    let page = views.query(OrderViews::NAME, &query).await?;
    let orders = page.rows.iter().map(|row| read(&row.document)).collect::<Result<_, _>>()?;
    Ok((orders, page))
}

/// An order found by text.
#[derive(Clone, Debug)]
pub struct Found {
    /// The order.
    pub order: OrderDocument,
    /// Higher is better.
    pub score: f64,
    /// Where it matched.
    pub highlights: Vec<Highlight>,
}

/// Orders that match a text, best first, and how many do: of a customer, or of all.
///
/// # Errors
/// When the store cannot be read or a document does not fit the program.
pub async fn matching(
    search: &dyn SearchStore,
    text: &str,
    customer: Option<Id<User>>,
    paging: Paging,
) -> Result<(Vec<Found>, u64), StoreFault> {
    let conditions = customer.map(|customer| Condition::is("user_id", customer.to_string()));
    let query = SearchQuery { text: text.to_owned(), conditions: conditions.into_iter().collect(), paging };
    let page = search.search(OrderSearch::NAME, &query).await?;
    let found = page.hits.into_iter().map(|hit| {
        let order = read(&hit.row.document)?;
        Ok(Found { order, score: hit.score, highlights: hit.highlights })
    });
    Ok((found.collect::<Result<_, StoreFault>>()?, page.total))
}

fn read<T: DeserializeOwned>(document: &Bytes) -> Result<T, StoreFault> {
    serde_json::from_slice(document)
        .map_err(|error| StoreFault::new("reading the view of an order; rebuild it").because(error))
}
