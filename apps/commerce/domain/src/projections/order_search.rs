//! Orders found by text.

use crate::{
    money::Money,
    orders::{OrderEvent, OrderStatus, distinct_product_ids},
};
use gallae_core::{Field, FieldValue, Projection, Recorded, SearchDocument, Timestamp, View, ViewKey};
use serde::{Deserialize, Serialize};

/// One document per order.
#[derive(Clone, Copy, Debug)]
pub struct OrderSearch;

/// An order as a list of hits shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OrderDocument {
    /// Which.
    pub order_id: String,
    /// Whose.
    pub user_id: String,
    /// Where it stands.
    pub status: Option<OrderStatus>,
    /// The customer's name.
    pub customer_name: String,
    /// The customer's address.
    pub customer_email: String,
    /// What all of it costs.
    pub total: Option<Money>,
    /// The names of its items.
    pub items: Vec<String>,
    /// Its products.
    pub product_ids: Vec<String>,
    /// Where to, in one line.
    pub address: String,
    /// The number it has where it came from.
    pub reference: String,
    /// When it was placed.
    pub created_at: Option<Timestamp>,
}

impl View for OrderDocument {
    const FIELDS: &'static [Field] =
        &[Field::text("user_id"), Field::text("status"), Field::integer("created_at")];

    fn fields(&self) -> Vec<FieldValue> {
        let status = self.status.map(OrderStatus::as_str);
        vec![self.user_id.as_str().into(), status.into(), self.created_at.into()]
    }
}

impl SearchDocument for OrderDocument {
    const TEXT: &'static [&'static str] =
        &["order_id", "customer_name", "customer_email", "items", "address", "product_ids", "reference"];

    fn text(&self) -> Vec<String> {
        vec![
            self.order_id.clone(),
            self.customer_name.clone(),
            self.customer_email.clone(),
            self.items.join("\n"),
            self.address.clone(),
            self.product_ids.join("\n"),
            self.reference.clone(),
        ]
    }
}

impl Projection for OrderSearch {
    const NAME: &'static str = "order-search";
    const REVISION: u32 = 1;
    type Events = OrderEvent;
    type View = OrderDocument;

    fn key(event: &Recorded<OrderEvent>) -> Option<ViewKey> {
        Some(event.stream().key().into())
    }

    fn project(view: &mut OrderDocument, event: &Recorded<OrderEvent>) {
        view.status = Some(event.event.status());
        if let OrderEvent::Created(created) = &event.event {
            view.order_id = event.stream().key().to_owned();
            view.user_id = created.customer.id.to_string();
            view.customer_name.clone_from(&created.customer.name);
            view.customer_email = created.customer.email.to_string();
            view.total = Some(created.total);
            view.items = created.items.iter().map(|item| item.name.clone()).collect();
            view.product_ids = distinct_product_ids(&created.items);
            view.address = created.shipping_address.one_line();
            view.reference = created.reference.clone().unwrap_or_default();
            view.created_at = Some(created.placed_at);
        }
    }
}
