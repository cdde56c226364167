//! Why a line of a retail file was not used.

/// Why a line was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not a CSV record of the header's length in UTF-8.
    #[error("not a readable record: {detail}")]
    Unreadable {
        /// What the CSV reader says.
        detail: String,
    },
    /// A field does not parse.
    #[error("`{column}` is not usable: `{value}`")]
    BadField {
        /// Which column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// A quantity or a price beyond what the import takes.
    #[error("`{column}` is out of bounds: `{value}`")]
    OutOfBounds {
        /// Which column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// A price with more than two decimals.
    #[error("the price is finer than a penny: `{value}`")]
    FinerThanAPenny {
        /// What the file holds.
        value: String,
    },
    /// The same invoice names another customer on an earlier line.
    #[error("the invoice belongs to another customer by its first line")]
    OtherCustomer,
    /// Invoice numbers with `A` correct bad debts.
    #[error("a bad-debt adjustment, not goods")]
    BadDebt,
    /// The code stands for a charge.
    #[error("`{code}` is a charge, not a product")]
    Charge {
        /// The code, in upper case.
        code: String,
    },
    /// Nothing was paid for it.
    #[error("the price is not above zero: not a sale")]
    Free,
    /// A quantity of zero says nothing.
    #[error("the quantity is zero")]
    ZeroQuantity,
    /// A cancellation takes goods back: its quantity must be negative.
    #[error("a cancellation with a positive quantity")]
    PositiveCancellation,
    /// Without a customer nobody can say which purchase it takes back.
    #[error("a cancellation without a customer cannot be matched")]
    GuestCancellation,
    /// The customer did not buy the product before, as far as this file knows.
    #[error("no earlier purchase of this product by this customer")]
    NeverBought,
    /// Earlier purchases are smaller than what is cancelled, or were already refunded.
    #[error("{wanted} cancelled, but only {left} of earlier purchases are left")]
    NotEnoughLeft {
        /// Units that the line cancels.
        wanted: u64,
        /// Units bought, paid and not yet refunded.
        left: u64,
    },
    /// The purchases that would match were never paid: their payments are declined by the fixed table.
    #[error("the payment of the matching purchase was declined: there is nothing to refund")]
    PurchaseDeclined,
    /// The product is sold nowhere in the file, so there is no price to list it at.
    #[error("adjusts a product that is never sold in this file")]
    NeverSold,
}

impl Reason {
    /// A stable word for reports.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "UNREADABLE",
            Self::BadField { .. } => "BAD_FIELD",
            Self::OutOfBounds { .. } => "OUT_OF_BOUNDS",
            Self::FinerThanAPenny { .. } => "FINER_THAN_A_PENNY",
            Self::OtherCustomer => "OTHER_CUSTOMER",
            Self::BadDebt => "BAD_DEBT",
            Self::Charge { .. } => "CHARGE",
            Self::Free => "FREE",
            Self::ZeroQuantity => "ZERO_QUANTITY",
            Self::PositiveCancellation => "POSITIVE_CANCELLATION",
            Self::GuestCancellation => "GUEST_CANCELLATION",
            Self::NeverBought => "NEVER_BOUGHT",
            Self::NotEnoughLeft { .. } => "NOT_ENOUGH_LEFT",
            Self::PurchaseDeclined => "PURCHASE_DECLINED",
            Self::NeverSold => "NEVER_SOLD",
        }
    }
}
