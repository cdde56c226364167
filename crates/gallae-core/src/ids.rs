//! Typed identifiers. An `Id<Order>` cannot be passed where an `Id<User>` is wanted.

use crate::Aggregate;
use serde::{Deserialize, Serialize};
use std::{cmp, fmt, hash, marker::PhantomData, str::FromStr, sync::Arc};
use uuid::Uuid;

/// Names derived rather than generated ([`Id::derived`], [`SagaId::of`]) live in this UUIDv5 namespace.
const NAMESPACE: Uuid = Uuid::from_u128(0x6761_6c6c_6165_4000_8000_0000_0000_0001);

/// The text is not an identifier of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}: {expected}")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
    expected: &'static str,
}

impl InvalidId {
    pub(crate) fn new(kind: &'static str, text: &str, expected: &'static str) -> Self {
        Self { kind, text: text.chars().take(80).collect(), expected }
    }
}

/// The identity of one aggregate of type `A`: a UUID that remembers what it names.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Id<A: ?Sized> {
    uuid: Uuid,
    #[serde(skip)]
    of: PhantomData<fn() -> A>,
}

impl<A: ?Sized> Id<A> {
    /// Names the aggregate with this UUID.
    pub const fn new(uuid: Uuid) -> Self {
        Self { uuid, of: PhantomData }
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<A: Aggregate> Id<A> {
    /// The id that always belongs to `name`: a UUIDv5 of the aggregate's type and the name. For aggregates that the
    /// outside world already names, such as a product by its code.
    pub fn derived(name: &str) -> Self {
        Self::new(Uuid::new_v5(&NAMESPACE, format!("{}:{name}", A::TYPE).as_bytes()))
    }

    /// The stream that holds this aggregate's events.
    pub fn stream(self) -> StreamId {
        StreamId::of(A::TYPE, self.uuid)
    }
}

impl<A: ?Sized> Clone for Id<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A: ?Sized> Copy for Id<A> {}
impl<A: ?Sized> PartialEq for Id<A> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<A: ?Sized> Eq for Id<A> {}
impl<A: ?Sized> PartialOrd for Id<A> {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<A: ?Sized> Ord for Id<A> {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<A: ?Sized> hash::Hash for Id<A> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<A: ?Sized> fmt::Debug for Id<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<A: ?Sized> fmt::Display for Id<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}
impl<A: ?Sized> FromStr for Id<A> {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let uuid = Uuid::try_parse(text).map_err(|_| InvalidId::new("id", text, "a UUID"))?;
        Ok(Self::new(uuid))
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID made by the caller.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }
            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId::new($kind, text, "a UUID"))
            }
        }
    };
}

uuid_id!(
    /// The identity of one event, made by whoever writes it (UUIDv7), so that a retry can be recognised.
    EventId, "event id"
);
uuid_id!(
    /// The identity of one command: sending it twice takes effect once.
    CommandId, "command id"
);
uuid_id!(
    /// The identity of one saga instance.
    SagaId, "saga id"
);

impl SagaId {
    /// The only instance that definition `saga` can have for `business_key`.
    pub fn of(saga: &str, business_key: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("saga:{saga}:{business_key}").as_bytes()))
    }

    /// The stream that holds the saga's transitions.
    pub fn stream(self) -> StreamId {
        StreamId::of("saga", self.0)
    }
}

/// The name of a stream: a category, a dash, and the identity within it, such as `order-0190…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// Longest name accepted, in bytes.
    pub const MAX_LEN: usize = 255;

    /// The stream of `category` named by a UUID. `category` is a literal of the program and holds no dash.
    pub fn of(category: &'static str, uuid: Uuid) -> Self {
        debug_assert!(!category.is_empty() && !category.contains('-'));
        let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
        let uuid: &str = uuid.hyphenated().encode_lower(&mut buffer);
        Self([category, "-", uuid].concat().into())
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first dash.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&*self.0, |(category, _)| category)
    }

    /// What stands after the first dash.
    pub fn key(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, key)| key)
    }

    /// The UUID after the category, where there is one.
    pub fn uuid(&self) -> Option<Uuid> {
        Uuid::try_parse(self.key()).ok()
    }

    /// The aggregate this stream belongs to, when it is one of type `A`.
    pub fn id<A: Aggregate>(&self) -> Option<Id<A>> {
        (self.category() == A::TYPE).then(|| self.uuid().map(Id::new)).flatten()
    }
}

impl FromStr for StreamId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let wrong = |expected| Err(InvalidId::new("stream name", text, expected));
        if text.len() > Self::MAX_LEN {
            return wrong("at most 255 bytes");
        }
        match text.split_once('-') {
            Some((category, key)) if !category.is_empty() && !key.is_empty() => {}
            _ => return wrong("a category, a dash and a key"),
        }
        if text.chars().any(char::is_control) {
            return wrong("no control characters");
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}
impl From<StreamId> for String {
    fn from(stream: StreamId) -> Self {
        stream.0.as_ref().to_owned()
    }
}
impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What ties together everything that one request set in motion. A client may choose it: 1 to 128 printable ASCII
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// A correlation named by a UUID made by the caller.
    pub fn new(uuid: Uuid) -> Self {
        let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
        let text: &str = uuid.hyphenated().encode_lower(&mut buffer);
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CorrelationId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.is_empty() || text.len() > 128 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidId::new("correlation id", text, "1 to 128 printable ASCII characters"));
        }
        Ok(Self(text.into()))
    }
}
impl TryFrom<String> for CorrelationId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}
impl From<CorrelationId> for String {
    fn from(id: CorrelationId) -> Self {
        id.0.as_ref().to_owned()
    }
}
impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_names_are_checked_also_when_deserialised() {
        let stream: StreamId = serde_json::from_str("\"order-42-b\"").unwrap();
        assert_eq!((stream.category(), stream.key()), ("order", "42-b"));
        for bad in ["", "order", "-42", "order-", "a\u{0}-b", &format!("a-{}", "x".repeat(254))] {
            assert!(serde_json::from_value::<StreamId>(bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn correlation_ids_refuse_what_a_header_cannot_carry() {
        assert!("abc-123".parse::<CorrelationId>().is_ok());
        for bad in ["", "a b", "줄", &"x".repeat(129)] {
            assert!(bad.parse::<CorrelationId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_saga_has_one_id_per_business_key() {
        assert_eq!(SagaId::of("checkout", "1"), SagaId::of("checkout", "1"));
        assert_ne!(SagaId::of("checkout", "1"), SagaId::of("refund", "1"));
    }
}
