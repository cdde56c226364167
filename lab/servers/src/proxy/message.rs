//! The messages of PostgreSQL's protocol, as far as a fault may wait for one.

use std::collections::HashMap;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client, to the server.
    Frontend,
    /// The server, to the client.
    Backend,
}

/// A kind of message, and which one of its kind.
#[derive(Clone, Debug)]
pub struct Message {
    side: Side,
    tag: u8,
    /// What its text begins with, in any case.
    text: String,
    /// Which of those that pass, from 1.
    pub(super) nth: u64,
}

impl Message {
    /// A simple query that begins with `text`, such as `COMMIT`; an empty text is any.
    pub fn query(text: &str) -> Self {
        Self::new(Side::Frontend, b'Q', text)
    }

    /// The preparation of a statement that begins with `text`.
    pub fn parse(text: &str) -> Self {
        Self::new(Side::Frontend, b'P', text)
    }

    /// Values for a statement that begins with `text`.
    pub fn bind(text: &str) -> Self {
        Self::new(Side::Frontend, b'B', text)
    }

    /// The execution of a statement that begins with `text`.
    pub fn execute(text: &str) -> Self {
        Self::new(Side::Frontend, b'E', text)
    }

    /// The end of a pipeline: what is no transaction block commits here.
    pub fn sync() -> Self {
        Self::new(Side::Frontend, b'S', "")
    }

    /// The server's word that a command is done, such as `COMMIT` or `INSERT`.
    pub fn command_complete(text: &str) -> Self {
        Self::new(Side::Backend, b'C', text)
    }

    /// The server's word that a transaction or pipeline is over: what was done outside a block is durable.
    pub fn ready_for_query() -> Self {
        Self::new(Side::Backend, b'Z', "")
    }

    /// Not the first one that passes, but the `nth`, from 1, counted from when the fault is set.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = nth;
        self
    }

    fn new(side: Side, tag: u8, text: &str) -> Self {
        Self { side, tag, text: text.to_ascii_uppercase(), nth: 1 }
    }

    pub(super) fn is(&self, side: Side, frame: &Frame) -> bool {
        self.side == side
            && frame.tag == Some(self.tag)
            && frame.text.to_ascii_uppercase().starts_with(&self.text)
    }
}

/// Bytes that pass together: one message, or whatever came when nobody can tell messages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// `None` for what has no tag: the start of a connection, TLS, other protocols.
    pub(super) tag: Option<u8>,
    /// The statement that it is about, or the server's command tag.
    pub(super) text: String,
}

/// What both directions of one connection know.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    /// The client asked for encryption: the server answers with one byte.
    pub(super) asked: bool,
    /// Encrypted from here on.
    pub(super) opaque: bool,
}

/// Cuts one direction of a connection into messages.
#[derive(Debug)]
pub(super) struct Messages {
    side: Side,
    pending: Vec<u8>,
    /// The client's first message has no tag.
    started: bool,
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
}

const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

impl Messages {
    pub(super) fn of(side: Side) -> Self {
        let started = side == Side::Backend;
        Self { side, pending: Vec::new(), started, statements: HashMap::new(), portals: HashMap::new() }
    }

    /// The messages that are complete now.
    pub(super) fn push(&mut self, bytes: &[u8], handshake: &mut Handshake) -> Vec<Frame> {
        self.pending.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = self.next(handshake) {
            frames.push(frame);
        }
        frames
    }

    fn next(&mut self, handshake: &mut Handshake) -> Option<Frame> {
        if self.pending.is_empty() {
            return None;
        }
        if handshake.opaque {
            return Some(untagged(std::mem::take(&mut self.pending)));
        }
        if self.side == Side::Backend && handshake.asked {
            handshake.asked = false;
            handshake.opaque = self.pending[0] != b'N';
            return Some(untagged(self.pending.drain(..1).collect()));
        }
        let tag_length = usize::from(self.started);
        let length = self.pending.get(tag_length..tag_length + 4)?;
        let length = tag_length + usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        if self.pending.len() < length {
            return None;
        }
        let bytes: Vec<u8> = self.pending.drain(..length).collect();
        if !self.started {
            let code = bytes.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
            handshake.asked = code.is_some_and(|code| ENCRYPTION_REQUESTS.contains(&code));
            self.started = !handshake.asked;
            return Some(untagged(bytes));
        }
        let (tag, body) = (bytes[0], &bytes[5..]);
        let text = match self.side {
            Side::Frontend => self.statement(tag, body),
            Side::Backend if tag == b'C' => words(body).next().unwrap_or_default(),
            Side::Backend => String::new(),
        };
        Some(Frame { tag: Some(tag), text, bytes })
    }

    /// The statement that a message of the client is about; remembers what names stand for.
    fn statement(&mut self, tag: u8, body: &[u8]) -> String {
        let mut words = words(body);
        let mut word = || words.next().unwrap_or_default();
        match tag {
            b'Q' => word(),
            b'P' => {
                let (name, text) = (word(), word());
                self.statements.insert(name, text.clone());
                text
            }
            b'B' => {
                let (portal, name) = (word(), word());
                let text = self.statements.get(&name).cloned().unwrap_or_default();
                self.portals.insert(portal, text.clone());
                text
            }
            b'E' => self.portals.get(&word()).cloned().unwrap_or_default(),
            _ => String::new(),
        }
    }
}

fn untagged(bytes: Vec<u8>) -> Frame {
    Frame { bytes, tag: None, text: String::new() }
}

/// The texts that end in a zero byte, from the beginning.
fn words(body: &[u8]) -> impl Iterator<Item = String> {
    body.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).trim_start().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use postgres_protocol::{IsNull, message::frontend};

    fn told(messages: &mut Messages, handshake: &mut Handshake, bytes: &[u8]) -> Vec<(Option<u8>, String)> {
        messages.push(bytes, handshake).into_iter().map(|frame| (frame.tag, frame.text)).collect()
    }

    #[test]
    fn messages_are_told_byte_by_byte_and_all_at_once() {
        let mut stream = BytesMut::new();
        frontend::startup_message([("user", "me")], &mut stream).unwrap();
        frontend::parse("s1", "commit", [], &mut stream).unwrap();
        let nothing = |_: (), _: &mut BytesMut| Ok(IsNull::Yes);
        frontend::bind("p1", "s1", [], [], nothing, [], &mut stream).map_err(|_| "bind").unwrap();
        frontend::execute("p1", 0, &mut stream).unwrap();
        frontend::sync(&mut stream);
        frontend::query("  SELECT 1", &mut stream).unwrap();
        let text = |text: &str| text.to_owned();
        let expected = [
            (None, text("")),
            (Some(b'P'), text("commit")),
            (Some(b'B'), text("commit")),
            (Some(b'E'), text("commit")),
            (Some(b'S'), text("")),
            (Some(b'Q'), text("SELECT 1")),
        ];
        let mut at_once = Messages::of(Side::Frontend);
        assert_eq!(told(&mut at_once, &mut Handshake::default(), &stream), expected);
        let (mut messages, mut handshake) = (Messages::of(Side::Frontend), Handshake::default());
        let each: Vec<_> =
            stream.iter().flat_map(|byte| told(&mut messages, &mut handshake, &[*byte])).collect();
        assert_eq!(each, expected);
        let frame = Frame { bytes: Vec::new(), tag: Some(b'E'), text: text("commit") };
        assert!(Message::execute("COMMIT").is(Side::Frontend, &frame));
        assert!(!Message::execute("ROLLBACK").is(Side::Frontend, &frame));
        assert!(!Message::query("COMMIT").is(Side::Frontend, &frame));
    }

    #[test]
    fn what_is_encrypted_passes_unread() {
        let (mut client, mut server) = (Messages::of(Side::Frontend), Messages::of(Side::Backend));
        let mut handshake = Handshake::default();
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        assert_eq!(told(&mut client, &mut handshake, &request).len(), 1);
        assert_eq!(told(&mut server, &mut handshake, b"N").len(), 1);
        assert!(!handshake.opaque, "refused: the start follows in the clear");
        assert_eq!(told(&mut client, &mut handshake, &request).len(), 1);
        assert_eq!(told(&mut server, &mut handshake, b"S").len(), 1);
        assert!(handshake.opaque);
        assert_eq!(told(&mut client, &mut handshake, b"\x16"), [(None, String::new())]);
    }
}
