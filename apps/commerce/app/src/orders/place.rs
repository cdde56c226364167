//! `POST /orders`: one durable transaction, then an answer.

use super::{
    body::{ItemBody, PlaceOrderBody},
    duplicate::{Confirmation, duplicate},
    reply::{ItemReply, PlacedReply},
};
use crate::{
    Shop,
    books::MAX_PRICE,
    http::{Answer, KeyHeader, PreferHeader, SagaState, Status, WriteRefusals, body_of},
    shop::{KEEP_ORDERS, Once},
};
use axum::{extract::State, http::StatusCode};
use commerce_domain::{
    books::Book,
    money::Money,
    orders::{
        Customer, Order, OrderItem, OrderRejection, OrderSource, OrderStatus,
        commands::{MAX_ITEMS, PlaceOrder, order_total},
    },
    sagas::Checkout,
};
use gallae_core::{
    EventSet, Id, SagaId, Version,
    saga::{SagaEvent, SagaState as Saga, SagaStatus},
};
use gallae_http::{AtLeast, IdempotencyKey, Problem, StrictJson, auth::Caller, codes};
use gallae_runtime::dispatcher::{Receipt, Request, SendError};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// How often an order is decided again because a book of it changed at the same moment.
const ATTEMPTS: usize = 4;
/// The most that the payment provider takes at once, in minor units.
pub(super) const MAX_TOTAL: i64 = 1_000_000_000_000;
const MAX_QUANTITY: i64 = 1_000_000;
/// How often a saga is looked at while a client waits for its end.
const LOOK: Duration = Duration::from_millis(20);

/// Place an order, which starts its checkout.
///
/// A `productId` that is a book's id is sold at the catalogue's price, and refused with 409 when `price` differs; any other is an
/// item outside the catalogue. With `Prefer: wait=seconds` the answer waits for the end of the checkout.
#[utoipa::path(
    post, path = "/orders", tag = "Orders", operation_id = "placeOrder", security(("bearer" = [])),
    params(
        KeyHeader,
        PreferHeader
    ),
    request_body = PlaceOrderBody,
    responses(
        (status = 201, description = "It is placed.", body = PlacedReply,
         headers(("Location" = String), ("ETag" = String), ("Gallae-Position" = u64))),
        WriteRefusals
    )
)]
pub(super) async fn place_order(
    State(shop): State<Shop>,
    caller: Caller,
    header: IdempotencyKey,
    at_least: AtLeast,
    StrictJson { value: body, raw }: StrictJson<PlaceOrderBody>,
) -> Result<Answer, Problem> {
    let key = one_key(header, body.idempotency_key.as_deref())?;
    let once = shop.once(&caller.context, &key, "POST /orders", KEEP_ORDERS, || semantic(&raw))?;
    let mut answer = match place(&shop, &caller, &body, once.as_ref()).await {
        Ok(answer) => answer,
        // What is refused now may have been accepted before under the same key.
        Err(problem) => match shop.replay(once.as_ref()).await? {
            Some(first) => Answer::again(StatusCode::CREATED, first, shop.platform.store().head().await?),
            None => return Err(problem),
        },
    };
    // It is placed: a repetition that comes while this one waits for the checkout gets the answer.
    drop(once);
    answer = answer.located("/orders");
    if let Some(order) = answer.named::<Order>().filter(|_| at_least.wait_requested) {
        answer.body = with_end(&shop, order, at_least.wait, answer.body).await?;
    }
    Ok(answer)
}

/// Key and content of the body are about the same request, so the key is no part of what it identifies.
fn semantic(raw: &[u8]) -> Value {
    let mut body: Value = serde_json::from_slice(raw).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        members.remove("idempotencyKey");
    }
    body
}

fn one_key(header: IdempotencyKey, body: Option<&str>) -> Result<IdempotencyKey, Problem> {
    let Some(body) = body else { return Ok(header) };
    IdempotencyKey::check(body)?;
    if header.0.as_deref().is_some_and(|header| header != body) {
        return Err(Problem::new(
            codes::INVALID_HEADER,
            "Idempotency-Key and idempotencyKey differ: send one of them.",
        ));
    }
    Ok(IdempotencyKey(Some(body.to_owned())))
}

async fn place(
    shop: &Shop,
    caller: &Caller,
    body: &PlaceOrderBody,
    once: Option<&Once>,
) -> Result<Answer, Problem> {
    let profile = shop.profile(caller).await?;
    let customer = Customer { id: Id::new(caller.user), name: profile.full_name(), email: profile.email };
    for _ in 1..ATTEMPTS {
        match attempt(shop, caller, &customer, body, once).await? {
            Err(SendError::Conflict { .. }) => {}
            Err(error) => return Err(refusal(shop, error)),
            Ok(answer) => return Ok(answer),
        }
    }
    attempt(shop, caller, &customer, body, once).await?.map_err(|error| refusal(shop, error))
}

fn refusal(shop: &Shop, error: SendError<OrderRejection>) -> Problem {
    if let SendError::ClaimTaken { key, owner, expires_at } = &error
        && let Some(problem) = duplicate(shop, key, owner, *expires_at)
    {
        return problem;
    }
    error.into()
}

/// One try: prices are looked up, and guarded so that they hold when the order commits.
async fn attempt(
    shop: &Shop,
    caller: &Caller,
    customer: &Customer,
    body: &PlaceOrderBody,
    once: Option<&Once>,
) -> Result<Result<Answer, SendError<OrderRejection>>, Problem> {
    let (items, guards) = priced(shop, body).await?;
    let total = order_total(&items)
        .and_then(
            |total| if total.amount <= MAX_TOTAL { Ok(total) } else { Err(OrderRejection::TotalTooLarge) },
        )
        .map_err(|rejection| Problem::from_rejection(&rejection))?;
    let confirmation = match &body.confirm_token {
        Some(token) => Confirmation::check(shop, customer.id, &items, token).await?,
        None => None,
    };
    let order = Id::new(shop.platform.entropy().uuid());
    let reply = body_of(&placed_reply(caller, order, body, &items, total))?;
    let command = PlaceOrder {
        order,
        customer: customer.clone(),
        items,
        shipping_address: body.shipping_address.0.clone(),
        payment_method: body.payment_method,
        placed_at: None,
        source: OrderSource::Web,
        reference: None,
        window: shop.settings.order_window,
    };
    let mut request = Request::new(command, caller.context.metadata());
    for (book, version) in guards {
        request = request.guard(book.stream(), version);
    }
    if let Some(confirmation) = confirmation {
        request = request.claim(confirmation.release());
    }
    if let Some(once) = once {
        request = request.once(once.answering(reply.clone()));
    }
    let sent: Result<Receipt, _> = shop.platform.send(request).await;
    Ok(sent.map(|receipt| Answer::of(StatusCode::CREATED, &receipt, reply)))
}

/// The items at their prices, and the books whose prices these are.
async fn priced(
    shop: &Shop,
    body: &PlaceOrderBody,
) -> Result<(Arc<[OrderItem]>, Vec<(Id<Book>, Version)>), Problem> {
    if body.items.len() > MAX_ITEMS {
        return Err(Problem::from_rejection(&OrderRejection::TooManyItems { limit: MAX_ITEMS }));
    }
    let mut items = Vec::with_capacity(body.items.len());
    let mut guards: Vec<(Id<Book>, Version)> = Vec::new();
    for (index, item) in body.items.iter().enumerate() {
        let quantity = u32::try_from(item.quantity).ok().filter(|_| item.quantity <= MAX_QUANTITY);
        let refused =
            |field, problem| Problem::from_rejection(&OrderRejection::InvalidItem { index, field, problem });
        let quantity = quantity.ok_or_else(|| refused("quantity", "from 1 to 1,000,000"))?;
        if item.price.is_some_and(|price| !(1..=MAX_PRICE).contains(&price)) {
            return Err(refused("price", "from 1 to 1,000,000,000"));
        }
        let id = Uuid::try_parse(&item.product_id).ok().map(Id::<Book>::new);
        let known = match id {
            Some(id) => Some((id, shop.platform.peek(id).await?)),
            None => None,
        };
        let item = match known {
            Some((id, (book, version))) if version != Version::NONE => {
                if !guards.iter().any(|(guarded, _)| *guarded == id) {
                    guards.push((id, version));
                }
                from_catalogue(body, item, id, &book, quantity)
            }
            _ if shop.settings.catalogue_strict => {
                Err(OrderRejection::UnknownProduct { product_id: shown(&item.product_id) })
            }
            _ => Ok(ad_hoc(body, item, quantity)),
        };
        items.push(item.map_err(|rejection| Problem::from_rejection(&rejection))?);
    }
    Ok((items.into(), guards))
}

fn from_catalogue(
    body: &PlaceOrderBody,
    item: &ItemBody,
    id: Id<Book>,
    book: &Book,
    quantity: u32,
) -> Result<OrderItem, OrderRejection> {
    if let Some(details) = book.listed()
        && details.price.currency != body.currency
    {
        let (left, right) = (body.currency, details.price.currency);
        return Err(OrderRejection::MixedCurrencies { left, right });
    }
    let seen = item.price.map(|amount| Money::new(amount, body.currency));
    OrderItem::from_catalogue(id, book, quantity, seen)
}

/// The domain refuses what is missing.
fn ad_hoc(body: &PlaceOrderBody, item: &ItemBody, quantity: u32) -> OrderItem {
    OrderItem {
        product_id: item.product_id.clone(),
        book: None,
        name: item.product_name.clone().unwrap_or_default(),
        quantity,
        unit_price: Money::new(item.price.unwrap_or_default(), body.currency),
    }
}

/// Not more of a client's text than an answer should carry.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

fn placed_reply<'a>(
    caller: &'a Caller,
    order: Id<Order>,
    body: &'a PlaceOrderBody,
    items: &'a [OrderItem],
    total: Money,
) -> PlacedReply<'a> {
    PlacedReply {
        id: order.uuid(),
        order_id: order.uuid(),
        user_id: caller.user,
        saga_id: Checkout::id(order).uuid(),
        correlation_id: caller.context.correlation_id.as_str(),
        status: Status(OrderStatus::Pending),
        items: items.iter().map(ItemReply::of).collect(),
        item_count: items.len(),
        total_amount: total.amount,
        currency: crate::http::CurrencyCode(total.currency),
        formatted_total: total.to_string(),
        payment_method: crate::http::Method(body.payment_method),
        shipping_address: &body.shipping_address.0,
        saga_status: None,
    }
}

/// The reply with how the checkout ended, if it did within `wait`.
async fn with_end(
    shop: &Shop,
    order: Id<Order>,
    wait: Duration,
    body: bytes::Bytes,
) -> Result<bytes::Bytes, Problem> {
    let Some(end) = saga_end(shop, Checkout::id(order), wait).await? else { return Ok(body) };
    let (state, _) = shop.platform.peek(order).await?;
    let mut reply: Value = serde_json::from_slice(&body).map_err(|error| Problem::internal(&error))?;
    let json = |value: Result<Value, serde_json::Error>| value.map_err(|error| Problem::internal(&error));
    reply["sagaStatus"] = json(serde_json::to_value(SagaState(end)))?;
    if let Some(placed) = state.placed() {
        reply["status"] = json(serde_json::to_value(placed.status))?;
    }
    body_of(&reply)
}

/// How a saga ended, if it did within `wait`.
pub(super) async fn saga_end(
    shop: &Shop,
    saga: SagaId,
    wait: Duration,
) -> Result<Option<SagaStatus>, Problem> {
    let clock = shop.platform.clock();
    let began = clock.monotonic();
    let stream = saga.stream();
    let (mut state, mut seen) = (Saga::default(), Version::NONE);
    loop {
        for recorded in shop.platform.store().read_stream(&stream, seen, 500).await? {
            seen = recorded.version;
            let event = SagaEvent::read(&recorded.event_type, recorded.schema_version, &recorded.payload);
            if let Some(event) = event.map_err(|error| Problem::internal(&error))? {
                gallae_core::Aggregate::evolve(&mut state, &event);
            }
        }
        if let Some(end) = state.status.filter(|status| status.is_terminal()) {
            return Ok(Some(end));
        }
        if clock.monotonic().saturating_sub(began) >= wait {
            return Ok(None);
        }
        clock.sleep(LOOK).await;
    }
}
