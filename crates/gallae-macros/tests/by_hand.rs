//! The derives write what one could write by hand: an enum with the derive, and the same enum without, agree on everything.

use gallae_core::{DecodeError, EncodeError, Event, EventSet, EventType, Upcaster, decode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

fn name_the_person(payload: &mut Value) {
    payload["openedBy"] = json!("somebody");
}

#[derive(Clone, Debug, PartialEq, Event)]
enum Derived {
    #[event(name = "DoorOpened", version = 2, upcast(from = 1, with = name_the_person))]
    Opened { opened_by: String, times: u32 },
    #[event(name = "DoorClosed", version = 1)]
    Closed,
}

#[derive(Clone, Debug, PartialEq)]
enum ByHand {
    Opened { opened_by: String, times: u32 },
    Closed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenedPayload {
    opened_by: String,
    times: u32,
}

impl Event for ByHand {
    const TYPES: &'static [EventType] =
        &[EventType { name: "DoorOpened", version: 2 }, EventType { name: "DoorClosed", version: 1 }];

    fn event_type(&self) -> EventType {
        match self {
            Self::Opened { .. } => Self::TYPES[0],
            Self::Closed => Self::TYPES[1],
        }
    }

    fn encode(&self, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
        let value = match self {
            Self::Opened { opened_by, times } => {
                serde_json::to_vec(&OpenedPayload { opened_by: opened_by.clone(), times: *times })
            }
            Self::Closed => Ok(b"{}".to_vec()),
        };
        let json = value.map_err(|source| EncodeError { event_type: self.event_type(), source })?;
        payload.extend(json);
        Ok(())
    }

    fn decode(name: &str, payload: &[u8]) -> Result<Self, DecodeError> {
        let decoded = match name {
            "DoorOpened" => serde_json::from_slice(payload)
                .map(|OpenedPayload { opened_by, times }| Self::Opened { opened_by, times }),
            "DoorClosed" => serde_json::from_slice::<serde::de::IgnoredAny>(payload).map(|_| Self::Closed),
            _ => return Err(DecodeError::UnknownType { name: name.to_owned() }),
        };
        decoded.map_err(|source| DecodeError::Payload { name: name.to_owned(), source })
    }

    fn upcasters() -> &'static [Upcaster] {
        &[Upcaster { event: "DoorOpened", from: 1, lift: name_the_person }]
    }
}

fn bytes<E: Event>(event: &E) -> String {
    let mut payload = Vec::new();
    event.encode(&mut payload).unwrap();
    String::from_utf8(payload).unwrap()
}

#[test]
fn types_and_upcasters_agree() {
    assert_eq!(Derived::TYPES, ByHand::TYPES);
    let steps = |upcasters: &[Upcaster]| upcasters.iter().map(|u| (u.event, u.from)).collect::<Vec<_>>();
    assert_eq!(steps(Derived::upcasters()), steps(ByHand::upcasters()));
    assert_eq!(Derived::Closed.event_type(), ByHand::Closed.event_type());
}

#[test]
fn payloads_agree_byte_for_byte() {
    let opened = (
        Derived::Opened { opened_by: "김".into(), times: 3 },
        ByHand::Opened { opened_by: "김".into(), times: 3 },
    );
    assert_eq!(bytes(&opened.0), bytes(&opened.1));
    assert_eq!(bytes(&opened.0), r#"{"openedBy":"김","times":3}"#);
    assert_eq!((bytes(&Derived::Closed), bytes(&ByHand::Closed)), ("{}".to_owned(), "{}".to_owned()));
}

#[test]
fn stored_payloads_of_every_version_read_alike() {
    for (version, payload) in [(1, r#"{"times":3}"#), (2, r#"{"openedBy":"Lee","times":3}"#)] {
        let derived: Derived = decode("DoorOpened", version, payload.as_bytes()).unwrap();
        let by_hand: ByHand = decode("DoorOpened", version, payload.as_bytes()).unwrap();
        let name = if version == 1 { "somebody" } else { "Lee" };
        assert_eq!(derived, Derived::Opened { opened_by: name.into(), times: 3 });
        assert_eq!(by_hand, ByHand::Opened { opened_by: name.into(), times: 3 });
    }
}

#[test]
fn refusals_agree() {
    for (name, payload) in [("DoorBurnt", "{}"), ("DoorOpened", "{}"), ("DoorClosed", "not json")] {
        let derived = Derived::decode(name, payload.as_bytes()).unwrap_err();
        let by_hand = ByHand::decode(name, payload.as_bytes()).unwrap_err();
        assert_eq!(derived.to_string(), by_hand.to_string());
    }
    assert!(Derived::read("DoorBurnt", 1, b"{}").unwrap().is_none());
    assert!(matches!(Derived::read("DoorClosed", 2, b"{}"), Err(DecodeError::NewerSchema { .. })));
}
