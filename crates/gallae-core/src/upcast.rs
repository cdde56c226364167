//! Reading payloads of older schema versions.

use crate::{DecodeError, Event, EventSet, Recorded, RecordedEvent};
use serde_json::Value;
use std::sync::Arc;

/// Lifts the payload of one event from schema version `from` to `from + 1`. Chained until the current version.
#[derive(Clone, Copy, Debug)]
pub struct Upcaster {
    /// The event's name.
    pub event: &'static str,
    /// The version it reads.
    pub from: u32,
    /// Changes the payload in place.
    pub lift: fn(&mut Value),
}

/// Reads an event of type `E` written at any schema version up to the current one.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode<E: Event>(name: &str, schema_version: u32, payload: &[u8]) -> Result<E, DecodeError> {
    let Some(current) = E::TYPES.iter().find(|known| known.name == name) else {
        return Err(DecodeError::UnknownType { name: name.to_owned() });
    };
    if schema_version == current.version {
        return E::decode(name, payload);
    }
    if schema_version > current.version {
        return Err(DecodeError::NewerSchema {
            name: name.to_owned(),
            found: schema_version,
            known: current.version,
        });
    }
    let unreadable = |source| DecodeError::Payload { name: name.to_owned(), source };
    let mut value: Value = serde_json::from_slice(payload).map_err(unreadable)?;
    for from in schema_version..current.version {
        let upcaster = E::upcasters().iter().find(|known| known.event == name && known.from == from);
        let Some(upcaster) = upcaster else {
            return Err(DecodeError::NoUpcaster { name: name.to_owned(), from, to: current.version });
        };
        (upcaster.lift)(&mut value);
    }
    E::decode(name, &serde_json::to_vec(&value).map_err(unreadable)?)
}

/// Reads a recorded event as a member of `S`, or `None` when it is not one.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_into_set<S: EventSet>(
    envelope: &Arc<RecordedEvent>,
) -> Result<Option<Recorded<S>>, DecodeError> {
    let event = S::read(&envelope.event_type, envelope.schema_version, &envelope.payload)?;
    Ok(event.map(|event| Recorded { event, envelope: Arc::clone(envelope) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, EventType};

    #[derive(Clone, Debug, PartialEq, Event)]
    enum ParcelEvent {
        #[event(name = "ParcelSent", version = 3, upcast(from = 1, with = name_currency), upcast(from = 2, with = to_minor_units))]
        Sent { amount: i64, currency: String },
        #[event(name = "ParcelLost", version = 1)]
        Lost,
    }

    fn name_currency(payload: &mut Value) {
        payload["currency"] = "KRW".into();
    }

    fn to_minor_units(payload: &mut Value) {
        let whole = payload["price"].take().as_i64().unwrap_or_default();
        payload["amount"] = (whole * 100).into();
    }

    #[test]
    fn stored_payloads_of_each_older_version_are_read() {
        let stored = [
            (1, r#"{"price":5}"#),
            (2, r#"{"price":5,"currency":"KRW"}"#),
            (3, r#"{"amount":500,"currency":"KRW"}"#),
        ];
        for (version, payload) in stored {
            let event = decode::<ParcelEvent>("ParcelSent", version, payload.as_bytes()).unwrap();
            assert_eq!(event, ParcelEvent::Sent { amount: 500, currency: "KRW".into() }, "v{version}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let newer = decode::<ParcelEvent>("ParcelLost", 2, b"{}").unwrap_err();
        assert!(matches!(newer, DecodeError::NewerSchema { found: 2, known: 1, .. }));
        let gap = decode::<ParcelEvent>("ParcelSent", 0, b"{}").unwrap_err();
        assert!(matches!(gap, DecodeError::NoUpcaster { from: 0, to: 3, .. }));
        let foreign = decode::<ParcelEvent>("OrderCreated", 1, b"{}").unwrap_err();
        assert!(matches!(foreign, DecodeError::UnknownType { .. }));
        let broken = decode::<ParcelEvent>("ParcelSent", 3, b"{").unwrap_err();
        assert!(matches!(broken, DecodeError::Payload { .. }));
    }

    #[test]
    fn payloads_hold_the_fields_alone() {
        let mut payload = Vec::new();
        ParcelEvent::Sent { amount: 1, currency: "KRW".into() }.encode(&mut payload).unwrap();
        assert_eq!(payload, br#"{"amount":1,"currency":"KRW"}"#);
        let mut payload = Vec::new();
        ParcelEvent::Lost.encode(&mut payload).unwrap();
        assert_eq!(payload, b"{}");
        assert_eq!(ParcelEvent::Lost.event_type(), EventType { name: "ParcelLost", version: 1 });
    }
}
