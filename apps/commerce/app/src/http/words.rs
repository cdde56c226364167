//! Times and words of the domain as the API spells and describes them.

use commerce_domain::{
    money::Currency,
    orders::{OrderStatus, PaymentMethod, RefundOutcome},
    payments::PaymentStatus,
    projections::ShippingStatus,
    users::Role,
};
use gallae_core::{Timestamp, saga::SagaStatus};
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

/// An instant in RFC 3339, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Time {}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($of:ty) = $all:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
            #[serde(transparent)]
            pub(crate) struct $name(pub(crate) $of);

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let words = $all.iter().map(serde_json::to_value).map(Result::unwrap_or_default);
                    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
                }
            }

            impl ToSchema for $name {}
        )+
    };
}

words! {
    /// Where an order stands.
    Status(OrderStatus) = OrderStatus::ALL;
    /// Where a saga stands.
    SagaState(SagaStatus) = SagaStatus::ALL;
    /// A currency.
    CurrencyCode(Currency) = Currency::ALL;
    /// What a person may do.
    RoleName(Role) = [Role::User, Role::Admin];
    /// How an order is paid.
    Method(PaymentMethod) = [
        PaymentMethod::Card,
        PaymentMethod::BankTransfer,
        PaymentMethod::GiftCard,
        PaymentMethod::Coupon,
    ];
    /// Where a payment stands.
    PaymentState(PaymentStatus) = [
        PaymentStatus::Pending,
        PaymentStatus::Authorized,
        PaymentStatus::Paid,
        PaymentStatus::Failed,
        PaymentStatus::Voided,
        PaymentStatus::PartiallyRefunded,
        PaymentStatus::Refunded,
    ];
    /// How far the goods are.
    Shipping(ShippingStatus) = [
        ShippingStatus::Pending,
        ShippingStatus::Preparing,
        ShippingStatus::Shipped,
        ShippingStatus::Delivered,
        ShippingStatus::Cancelled,
    ];
    /// What became of a refund.
    RefundState(RefundOutcome) = [RefundOutcome::Pending, RefundOutcome::Refunded, RefundOutcome::Rejected];
}
