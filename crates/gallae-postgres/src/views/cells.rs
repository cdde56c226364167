//! Text as PostgreSQL can keep and index it.
//!
//! PostgreSQL knows no U+0000 in text. It is written as U+0001 U+0001, and U+0001 as U+0001 U+0002: that can be undone, and
//! keeps the order and the beginnings of texts.

use gallae_ports::Mismatch;
use std::borrow::Cow;
use uuid::Uuid;

/// The longest key, in bytes. An entry of an index holds a field and a key, and has 2,704 bytes.
const MAX_KEY: usize = 1_500;
/// The longest text of a field that is kept whole, in bytes.
const MAX_FIELD: usize = 1_000;

/// Text without U+0000.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < 2) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\0' => escaped.push_str("\u{1}\u{1}"),
            '\u{1}' => escaped.push_str("\u{1}\u{2}"),
            char => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

/// What [`storable`] was given.
pub(super) fn restored(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1}') {
        return Cow::Borrowed(text);
    }
    let mut restored = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        restored.push(match char {
            '\u{1}' if chars.next() == Some('\u{1}') => '\0',
            char => char,
        });
    }
    Cow::Owned(restored)
}

/// A key, or the name of a counter.
pub(super) fn key(key: &str) -> Result<Cow<'_, str>, Mismatch> {
    let stored = storable(key);
    if stored.len() <= MAX_KEY {
        return Ok(stored);
    }
    let start: String = key.chars().take(40).collect();
    Err(Mismatch(format!("the key that begins with {start:?} has more than {MAX_KEY} bytes")))
}

/// The text of a field. What is too long for an index is cut, and told apart by a hash of the whole.
pub(super) fn field(text: &str) -> Cow<'_, str> {
    let stored = storable(text);
    if stored.len() <= MAX_FIELD {
        return stored;
    }
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, stored.as_bytes());
    let end = stored.floor_char_boundary(MAX_FIELD);
    Cow::Owned(format!("{}…{hash}", &stored[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_in_its_place() {
        let mut texts = [
            "",
            "\0",
            "\0\0",
            "\0a",
            "\u{1}",
            "\u{1}\u{1}",
            "\u{1}\u{2}",
            "\u{2}",
            "a\0",
            "a",
            "강남\0",
            "강남",
        ];
        texts.sort_unstable();
        let stored: Vec<_> = texts.iter().map(|text| storable(text)).collect();
        assert!(stored.windows(2).all(|pair| pair[0] < pair[1]), "{stored:?}");
        for (text, stored) in texts.iter().zip(&stored) {
            assert!(!stored.contains('\0'));
            assert_eq!(restored(stored), *text);
        }
    }

    #[test]
    fn long_texts_are_cut_and_told_apart() {
        let (a, b) = ("책".repeat(2_000), "책".repeat(1_999) + "펜");
        assert_ne!(field(&a), field(&b));
        assert_eq!(field(&a), field(&a));
        assert!(field(&a).len() < MAX_FIELD + 50);
        assert!(key(&"k".repeat(MAX_KEY)).is_ok() && key(&"k".repeat(MAX_KEY + 1)).is_err());
    }
}
