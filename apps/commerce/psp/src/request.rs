//! What a caller asks for.

use crate::{Money, Operation};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An idempotency key: 1 to 255 bytes, chosen by the caller, one for each operation it wants executed once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Box<str>);

/// The text cannot be an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is 1 to 255 bytes long")]
pub struct InvalidKey;

impl Key {
    /// Takes a text as a key.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidKey> {
        let text = text.into();
        match text.len() {
            1..=255 => Ok(Self(text)),
            _ => Err(InvalidKey),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::new(text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.into()
    }
}

/// The provider's own reference of a payment, `pay_0000000001`: given by an authorisation, named by all that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentRef(pub(crate) usize);

impl fmt::Display for PaymentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pay_{:010}", self.0)
    }
}

impl TryFrom<String> for PaymentRef {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let number = text.strip_prefix("pay_").and_then(|digits| digits.parse().ok()).map(Self);
        number
            .filter(|payment| payment.to_string() == text)
            .ok_or("a payment reference is `pay_` and ten digits")
    }
}

impl From<PaymentRef> for String {
    fn from(payment: PaymentRef) -> Self {
        payment.to_string()
    }
}

/// What the caller tells about a payment, besides money.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Metadata {
    /// The products that are paid for; some ids ask for a fault.
    pub product_ids: Vec<String>,
    /// The invoice of an imported order; its number decides how the authorisation ends.
    pub invoice: Option<String>,
}

/// Reserve money of the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authorize {
    /// Executes once.
    pub key: Key,
    /// The order that is paid, at most 255 bytes.
    pub order: String,
    /// How much.
    pub money: Money,
    /// Triggers of faults.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Take reserved money, once for each payment; what is not taken is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capture {
    /// Executes once.
    pub key: Key,
    /// The order of the payment.
    pub order: String,
    /// Which authorisation.
    pub payment: PaymentRef,
    /// At most what was authorised.
    pub money: Money,
    /// Triggers of faults.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Release reserved money, whether or not the provider ever saw the authorisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Void {
    /// Executes once; not the key of the authorisation.
    pub key: Key,
    /// The order of the payment.
    pub order: String,
    /// The key under which the authorisation was sent: the caller may never have learned its reference.
    pub authorization: Key,
    /// Triggers of faults.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Give captured money back, in parts if wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refund {
    /// Executes once.
    pub key: Key,
    /// The order of the payment.
    pub order: String,
    /// Which payment.
    pub payment: PaymentRef,
    /// At most what was captured and not yet refunded.
    pub money: Money,
    /// Triggers of faults.
    #[serde(default)]
    pub metadata: Metadata,
}

/// Any request.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Request<'a> {
    Authorize(&'a Authorize),
    Capture(&'a Capture),
    Void(&'a Void),
    Refund(&'a Refund),
}

impl<'a> Request<'a> {
    pub(crate) fn key(&self) -> &'a Key {
        match self {
            Self::Authorize(request) => &request.key,
            Self::Capture(request) => &request.key,
            Self::Void(request) => &request.key,
            Self::Refund(request) => &request.key,
        }
    }

    pub(crate) fn order(&self) -> &'a str {
        match self {
            Self::Authorize(request) => &request.order,
            Self::Capture(request) => &request.order,
            Self::Void(request) => &request.order,
            Self::Refund(request) => &request.order,
        }
    }

    pub(crate) fn money(&self) -> Option<Money> {
        match self {
            Self::Authorize(request) => Some(request.money),
            Self::Capture(request) => Some(request.money),
            Self::Void(_) => None,
            Self::Refund(request) => Some(request.money),
        }
    }

    pub(crate) fn metadata(&self) -> &'a Metadata {
        match self {
            Self::Authorize(request) => &request.metadata,
            Self::Capture(request) => &request.metadata,
            Self::Void(request) => &request.metadata,
            Self::Refund(request) => &request.metadata,
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Authorize(_) => Operation::Authorize,
            Self::Capture(_) => Operation::Capture,
            Self::Void(_) => Operation::Void,
            Self::Refund(_) => Operation::Refund,
        }
    }

    /// Two requests are the same when every field is, metadata included.
    pub(crate) fn fingerprint(&self) -> Result<Fingerprint, serde_json::Error> {
        let mut hasher = blake3::Hasher::new();
        serde_json::to_writer(&mut hasher, self)?;
        Ok(Fingerprint(half(hasher.finalize())))
    }
}

/// A hash of a whole request, in hexadecimal digits: tells a repeated request from another one under the same key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 16]);

/// The first half of a hash: 128 bits tell texts apart that nobody forges.
pub(crate) fn half(hash: blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        format!("{fingerprint:?}")
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match u128::from_str_radix(&text, 16) {
            Ok(bits) if text.len() == 32 => Ok(Self(bits.to_be_bytes())),
            _ => Err("a fingerprint is 32 hexadecimal digits"),
        }
    }
}
