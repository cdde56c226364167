//! How metadata is stored: ids as their bytes, about a third of the JSON. It is beside every event, so its size is felt.
//!
//! ```text
//! version 1 │ flags │ correlation │ causation? │ command? │ actor │ node │ trace? │ state? │ extra?
//! ```
//! Ids are 16 bytes, texts are their length as a varint (LEB128) and UTF-8.

use super::{Actor, Metadata, TraceContext};
use crate::{CommandId, CorrelationId};
use std::{collections::BTreeMap, sync::Arc};
use uuid::Uuid;

const VERSION: u8 = 1;

const CORRELATION_IS_UUID: u8 = 1;
const CAUSATION: u8 = 1 << 1;
const COMMAND: u8 = 1 << 2;
const USER: u8 = 1 << 3;
const SYSTEM: u8 = 1 << 4;
const TRACE: u8 = 1 << 5;
const TRACE_STATE: u8 = 1 << 6;
const EXTRA: u8 = 1 << 7;

/// Trace id, span id and flags, of a version-00 `traceparent`.
const TRACE_BYTES: usize = 16 + 8 + 1;

/// The bytes are not metadata in a form that this release knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored metadata cannot be read: {0}")]
pub struct InvalidMetadata(&'static str);

pub(crate) fn write(metadata: &Metadata) -> Vec<u8> {
    let Metadata { correlation_id, causation_id, command_id, actor, node, trace, extra } = metadata;
    let correlation = Uuid::try_parse(correlation_id.as_str())
        .ok()
        .filter(|uuid| CorrelationId::new(*uuid) == *correlation_id);
    let mut flags = 0;
    let mut set = |flag, condition| flags |= if condition { flag } else { 0 };
    set(CORRELATION_IS_UUID, correlation.is_some());
    set(CAUSATION, causation_id.is_some());
    set(COMMAND, command_id.is_some());
    set(USER, matches!(actor, Actor::User(_)));
    set(SYSTEM, matches!(actor, Actor::System(_)));
    set(TRACE, trace.is_some());
    set(TRACE_STATE, trace.as_ref().is_some_and(|trace| trace.state.is_some()));
    set(EXTRA, !extra.is_empty());

    let mut to = Vec::with_capacity(112);
    to.extend([VERSION, flags]);
    match correlation {
        Some(uuid) => to.extend(uuid.as_bytes()),
        None => write_text(&mut to, correlation_id.as_str()),
    }
    causation_id.iter().for_each(|id| to.extend(id.as_bytes()));
    command_id.iter().for_each(|id| to.extend(id.uuid().as_bytes()));
    match actor {
        Actor::Anonymous => {}
        Actor::User(id) => to.extend(id.as_bytes()),
        Actor::System(name) => write_text(&mut to, name),
    }
    write_text(&mut to, node);
    if let Some(TraceContext { parent, state }) = trace {
        let digits = parent.bytes().skip(3).filter(|byte| *byte != b'-').map(nibble);
        let digits: Vec<u8> = digits.collect();
        to.extend(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
        state.iter().for_each(|state| write_text(&mut to, state));
    }
    if !extra.is_empty() {
        write_length(&mut to, extra.len());
        for (key, value) in extra {
            write_text(&mut to, key);
            write_text(&mut to, value);
        }
    }
    to
}

pub(crate) fn read(bytes: &[u8]) -> Result<Metadata, InvalidMetadata> {
    let mut from = Source { bytes };
    if from.byte()? != VERSION {
        return Err(InvalidMetadata("it has a form that this release does not know"));
    }
    let flags = from.byte()?;
    let has = |flag| flags & flag != 0;
    let correlation_id = match has(CORRELATION_IS_UUID) {
        true => CorrelationId::new(from.uuid()?),
        false => from.text()?.parse().map_err(|_| InvalidMetadata("its correlation id is not one"))?,
    };
    let causation_id = has(CAUSATION).then(|| from.uuid()).transpose()?;
    let command_id = has(COMMAND).then(|| from.uuid()).transpose()?.map(CommandId::new);
    let actor = match (has(USER), has(SYSTEM)) {
        (false, false) => Actor::Anonymous,
        (true, false) => Actor::User(from.uuid()?),
        (false, true) => Actor::System(from.text()?.into()),
        (true, true) => return Err(InvalidMetadata("it names two actors")),
    };
    let node: Arc<str> = from.text()?.into();
    let parent = has(TRACE).then(|| from.take(TRACE_BYTES).map(parent)).transpose()?;
    let state = has(TRACE_STATE).then(|| from.text()).transpose()?.map(Arc::from);
    let trace = parent.map(|parent| TraceContext { parent, state });
    let mut extra = BTreeMap::new();
    for _ in 0..if has(EXTRA) { from.length()? } else { 0 } {
        extra.insert(from.text()?.to_owned(), from.text()?.to_owned());
    }
    if !from.bytes.is_empty() {
        return Err(InvalidMetadata("bytes follow its end"));
    }
    Ok(Metadata { correlation_id, causation_id, command_id, actor, node, trace, extra })
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'0'),
    }
}

fn parent(bytes: &[u8]) -> Arc<str> {
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    for (index, byte) in bytes.iter().enumerate() {
        if index == 16 || index == 24 {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text.into()
}

fn write_text(to: &mut Vec<u8>, text: &str) {
    write_length(to, text.len());
    to.extend(text.as_bytes());
}

fn write_length(to: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        to.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    to.push(length as u8);
}

/// What has not been read yet.
struct Source<'a> {
    bytes: &'a [u8],
}

const SHORT: InvalidMetadata = InvalidMetadata("it ends too early");

impl<'a> Source<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], InvalidMetadata> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(SHORT)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, InvalidMetadata> {
        let (byte, rest) = self.bytes.split_first().ok_or(SHORT)?;
        self.bytes = rest;
        Ok(*byte)
    }

    fn uuid(&mut self) -> Result<Uuid, InvalidMetadata> {
        Uuid::from_slice(self.take(16)?).map_err(|_| SHORT)
    }

    fn text(&mut self) -> Result<&'a str, InvalidMetadata> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| InvalidMetadata("a text in it is not UTF-8"))
    }

    fn length(&mut self) -> Result<usize, InvalidMetadata> {
        let mut length = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
        Err(InvalidMetadata("a length in it is not one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    fn traces() -> impl Strategy<Value = TraceContext> {
        (1_u128.., 1_u64.., any::<u8>(), proptest::option::of("[a-z=,]{1,80}")).prop_map(
            |(trace, span, flags, state)| {
                let parent = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
                TraceContext::parse(&parent, state.as_deref()).unwrap()
            },
        )
    }

    prop_compose! {
        fn metadata()(
            correlation_id in prop_oneof![
                ids().prop_map(CorrelationId::new),
                "[!-~]{1,128}".prop_map(|text: String| text.parse().unwrap()),
                ids().prop_map(|id| id.simple().to_string().parse().unwrap()),
            ],
            causation_id in proptest::option::of(ids()),
            command_id in proptest::option::of(ids().prop_map(CommandId::new)),
            actor in prop_oneof![
                Just(Actor::Anonymous),
                ids().prop_map(Actor::User),
                "\\PC{0,200}".prop_map(|name: String| Actor::System(name.into())),
            ],
            node in "\\PC{0,40}",
            trace in proptest::option::of(traces()),
            extra in proptest::collection::btree_map("\\PC{0,20}", "\\PC{0,300}", 0..4),
        ) -> Metadata {
            Metadata { correlation_id, causation_id, command_id, actor, node: node.into(), trace, extra }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(metadata in metadata()) {
            prop_assert_eq!(read(&write(&metadata)).unwrap(), metadata);
        }

        #[test]
        fn what_was_cut_off_is_refused(metadata in metadata(), cut in 1..100_usize) {
            let bytes = write(&metadata);
            prop_assert!(read(&bytes[..bytes.len().saturating_sub(cut)]).is_err());
        }

        #[test]
        fn any_bytes_are_metadata_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }

    /// Stored in every log: changing it needs a new version, and this one must stay readable.
    #[test]
    fn the_form_is_fixed() {
        let id = |n| Uuid::from_u128(n);
        let mut metadata = Metadata::new(CorrelationId::new(id(1)), Actor::User(id(2)), "n-1");
        metadata.causation_id = Some(id(3));
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        metadata.trace = Some(TraceContext::parse(trace, None).unwrap());
        let hex: String = write(&metadata).iter().map(|byte| format!("{byte:02x}")).collect();
        let number = |n| format!("{n:032x}");
        let wanted = ["012b", &number(1), &number(3), &number(2), "036e2d31"].concat()
            + "4bf92f3577b34da6a3ce929d0e0e473600f067aa0ba902b701";
        assert_eq!(hex, wanted);
    }
}
