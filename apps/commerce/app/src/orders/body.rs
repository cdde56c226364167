//! What a customer sends to order.

use crate::http::{CurrencyCode, Method};
use commerce_domain::{
    money::Currency,
    orders::{PaymentMethod, ShippingAddress},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, schema::Type},
};

/// An order to place.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PlaceOrderBody {
    #[schema(min_items = 1, max_items = 100)]
    pub(super) items: Vec<ItemBody>,
    #[schema(value_type = AddressOrLine)]
    pub(super) shipping_address: AddressOrLine,
    #[serde(default)]
    #[schema(value_type = Method, default = "CARD")]
    pub(super) payment_method: PaymentMethod,
    /// Of all prices.
    #[serde(default = "krw")]
    #[schema(value_type = CurrencyCode, default = "KRW")]
    pub(super) currency: Currency,
    /// The same as the header of this name.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255, pattern = "^[ -~]+$", nullable = false)]
    pub(super) idempotency_key: Option<String>,
    /// From the answer `DUPLICATE_ORDER`: order the same products again on purpose.
    #[serde(default)]
    #[schema(max_length = 200, nullable = false)]
    pub(super) confirm_token: Option<String>,
}

fn krw() -> Currency {
    Currency::Krw
}

/// One line of an order.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ItemBody {
    /// The `id` of a book, or any code for an item outside the catalogue.
    #[schema(min_length = 1, max_length = 100, example = "product-123")]
    pub(super) product_id: String,
    /// Needed for an item outside the catalogue; a book has its title.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500, example = "노트북", nullable = false)]
    pub(super) product_name: Option<String>,
    /// Pieces.
    #[schema(minimum = 1, maximum = 1000000, example = 1)]
    pub(super) quantity: i64,
    /// For one piece, in minor units. Needed for an item outside the catalogue; for a book, the price that the customer saw.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000000000, example = 1500000, nullable = false)]
    pub(super) price: Option<i64>,
}

/// An address as an object, or in one line.
#[derive(Debug)]
pub(super) struct AddressOrLine(pub(super) ShippingAddress);

impl<'de> Deserialize<'de> for AddressOrLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ShippingAddress;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address as a string or an object")
            }
            fn visit_str<E: de::Error>(self, line: &str) -> Result<ShippingAddress, E> {
                Ok(ShippingAddress::line(line))
            }
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<ShippingAddress, M::Error> {
                ShippingAddress::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Either).map(Self)
    }
}

impl PartialSchema for AddressOrLine {
    fn schema() -> RefOr<Schema> {
        let line = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(500))
            .examples(["서울시 강남구 테헤란로 123"]);
        OneOfBuilder::new().item(line).item(Ref::from_schema_name("Address")).into()
    }
}

impl ToSchema for AddressOrLine {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("Address".to_owned(), Address::schema()));
        Address::schemas(schemas);
    }
}

/// Where an order goes. The shape of [`ShippingAddress`].
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "describes the domain's type, which knows nothing of OpenAPI")]
pub(super) struct Address {
    /// The recipient, if not the customer.
    #[schema(max_length = 500)]
    name: Option<String>,
    /// Street and number, or the whole address.
    #[schema(min_length = 1, max_length = 500)]
    line1: String,
    /// Apartment, company.
    #[schema(max_length = 500)]
    line2: Option<String>,
    #[schema(max_length = 500)]
    city: Option<String>,
    #[schema(max_length = 500)]
    postal_code: Option<String>,
    #[schema(max_length = 500)]
    country: Option<String>,
    /// For the carrier.
    #[schema(max_length = 500)]
    phone: Option<String>,
    /// Two days instead of five.
    #[serde(default)]
    #[schema(default = false)]
    express: bool,
}

/// A cancellation.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CancelBody {
    /// In words.
    #[serde(default)]
    #[schema(max_length = 500, example = "주문 실수")]
    pub(super) reason: Option<String>,
}

/// A confirmation by hand.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConfirmBody {
    /// The order's own payment, as `payment.id` of the order says.
    pub(super) payment_id: uuid::Uuid,
}

/// A shipment.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ShipBody {
    /// The carrier's.
    #[schema(min_length = 1, max_length = 100, example = "CJ-123456789")]
    pub(super) tracking_number: String,
}
