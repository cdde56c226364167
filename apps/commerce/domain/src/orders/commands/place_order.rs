//! A customer orders.

use crate::{
    money::{Money, MoneyError},
    orders::{
        Customer, Order, OrderCreated, OrderEvent, OrderItem, OrderRejection, OrderSource, PaymentMethod,
        ShippingAddress, distinct_product_ids,
    },
    users::User,
};
use gallae_core::{ClaimChange, Command, Decide, DecisionContext, Id, Timestamp};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// Most items of an order that comes through the shop. Imported orders are history and as long as they are.
pub const MAX_ITEMS: usize = 100;

/// Places an order, which starts its checkout. Placing the same order twice under one id is nothing to do.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    /// Made by the caller, or derived from the number it has elsewhere.
    pub order: Id<Order>,
    /// For whom.
    pub customer: Customer,
    /// What. Books are priced by [`OrderItem::from_catalogue`].
    pub items: Arc<[OrderItem]>,
    /// Where to.
    pub shipping_address: ShippingAddress,
    /// How it is paid.
    pub payment_method: PaymentMethod,
    /// When, if not now: for imports.
    pub placed_at: Option<Timestamp>,
    /// How it came in.
    pub source: OrderSource,
    /// The number it has where it came from.
    pub reference: Option<String>,
    /// How long a second order of the same customer for the same products is refused, if at all.
    pub window: Option<Duration>,
}

/// The claim that refuses a second order of `customer` for the same products, whatever their quantity and price.
pub fn order_window(customer: Id<User>, items: &[OrderItem]) -> String {
    // A line feed cannot stand in a product id, so different sets never read the same.
    let products = distinct_product_ids(items).join("\n");
    format!("order-window:{customer}:{}", Uuid::new_v5(&customer.uuid(), products.as_bytes()))
}

impl Command for PlaceOrder {
    const NAME: &'static str = "order.place";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }

    fn claims(&self, _: &Order) -> Vec<ClaimChange> {
        let take = |window| ClaimChange::Take {
            key: order_window(self.customer.id, &self.items),
            owner: self.order.to_string(),
            expires_after: Some(window),
        };
        self.window.map(take).into_iter().collect()
    }
}

impl Decide<PlaceOrder> for Order {
    fn decide(
        &self,
        command: &PlaceOrder,
        cx: &DecisionContext<'_>,
    ) -> Result<Vec<OrderEvent>, OrderRejection> {
        if let Some(placed) = self.placed() {
            let same = placed.customer == command.customer && placed.items == command.items;
            return if same { Ok(vec![]) } else { Err(OrderRejection::AlreadyExists) };
        }
        if command.items.is_empty() {
            return Err(OrderRejection::Empty);
        }
        if command.source == OrderSource::Web && command.items.len() > MAX_ITEMS {
            return Err(OrderRejection::TooManyItems { limit: MAX_ITEMS });
        }
        if !command.shipping_address.is_acceptable() {
            return Err(OrderRejection::InvalidAddress);
        }
        Ok(vec![OrderEvent::Created(OrderCreated {
            customer: command.customer.clone(),
            items: Arc::clone(&command.items),
            total: order_total(&command.items)?,
            shipping_address: command.shipping_address.clone(),
            payment_method: command.payment_method,
            placed_at: command.placed_at.unwrap_or(cx.now),
            source: command.source,
            reference: command.reference.clone(),
        })])
    }
}

/// Checks each line and adds them up.
///
/// # Errors
/// The first line that is not acceptable, or a sum that is none.
pub fn order_total(items: &[OrderItem]) -> Result<Money, OrderRejection> {
    let first = items.first().ok_or(OrderRejection::Empty)?;
    let mut total = Money::zero(first.unit_price.currency);
    let mut pieces = 0_u32;
    for (index, item) in items.iter().enumerate() {
        check(index, item)?;
        pieces = pieces.checked_add(item.quantity).ok_or(OrderRejection::TotalTooLarge)?;
        let sum = item.unit_price.checked_mul(item.quantity).and_then(|price| total.checked_add(price));
        total = sum.map_err(|error| match error {
            MoneyError::MixedCurrencies { left, right } => OrderRejection::MixedCurrencies { left, right },
            _ => OrderRejection::TotalTooLarge,
        })?;
    }
    Ok(total)
}

fn check(index: usize, item: &OrderItem) -> Result<(), OrderRejection> {
    let within = |text: &str, most| !text.trim().is_empty() && text.chars().count() <= most;
    let printable = !item.product_id.contains(char::is_control);
    let checks = [
        (within(&item.product_id, 100) && printable, "productId", "1 to 100 printable characters"),
        (within(&item.name, 500), "productName", "1 to 500 characters"),
        (item.quantity > 0, "quantity", "at least one"),
        (item.unit_price.is_positive(), "price", "more than nothing"),
    ];
    match checks.into_iter().find(|(acceptable, ..)| !acceptable) {
        Some((_, field, problem)) => Err(OrderRejection::InvalidItem { index, field, problem }),
        None => Ok(()),
    }
}
