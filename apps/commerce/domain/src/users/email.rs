//! Addresses.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An address that could be one: a local part, an `@`, a domain; at most 254 bytes, no spaces. Whether anybody reads it only a
/// message can tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// The text cannot be an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address: expected name@domain, at most 254 bytes, without spaces")]
pub struct InvalidEmail;

impl Email {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes it unique: two addresses that differ only in case are one person's.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let refused = |c: char| c.is_whitespace() || c.is_control();
        match text.rsplit_once('@') {
            Some((local, domain))
                if text.len() <= 254
                    && !local.is_empty()
                    && !local.contains('@')
                    && !domain.is_empty()
                    && !domain.starts_with('.')
                    && !domain.ends_with('.')
                    && !text.contains(refused) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidEmail),
        }
    }
}

impl TryFrom<String> for Email {
    type Error = InvalidEmail;
    fn try_from(text: String) -> Result<Self, InvalidEmail> {
        text.parse()
    }
}
impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}
impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_checked_also_when_deserialised() {
        assert_eq!("Kim@Example.COM".parse::<Email>().unwrap().key(), "kim@example.com");
        let long = format!("{}@b.c", "a".repeat(254));
        for bad in ["", "kim", "@b.c", "a@", "a@b@c", "a b@c", "a@.c", "a@c.", "a@b\n", &long] {
            assert!(serde_json::from_value::<Email>(bad.into()).is_err(), "{bad:?}");
        }
    }
}
