//! Texts that are handed to clients to be handed back, and cannot be made up.

use gallae_core::Timestamp;
use gallae_http::auth::Secret;

/// Seals texts with a key of its own.
#[derive(Clone)]
pub(crate) struct Sealed {
    key: [u8; blake3::KEY_LEN],
}

/// The text is not one that was sealed for this purpose, or its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedError;

impl Sealed {
    /// For one purpose: what is sealed for another does not open.
    pub(crate) fn new(secret: &Secret, purpose: &str) -> Self {
        Self { key: blake3::derive_key(purpose, secret.reveal().as_bytes()) }
    }

    /// Vouches for `facts` until `until`; the facts stay with us.
    pub(crate) fn token(&self, facts: &[&str], until: Timestamp) -> String {
        format!("{:x}.{}", until.as_micros(), self.seal(facts, until).to_hex())
    }

    /// Whether `token` vouches for `facts` at `now`.
    pub(crate) fn check(&self, token: &str, facts: &[&str], now: Timestamp) -> Result<(), SealedError> {
        let (until, seal) = token.split_once('.').ok_or(SealedError)?;
        let until = i64::from_str_radix(until, 16).map(Timestamp::from_micros).map_err(|_| SealedError)?;
        let seal = blake3::Hash::from_hex(seal).map_err(|_| SealedError)?;
        // Hashes compare in constant time.
        if seal == self.seal(facts, until) && now < until { Ok(()) } else { Err(SealedError) }
    }

    /// `text` in a form for query strings that opens only for the same `context`.
    pub(crate) fn wrap(&self, context: &str, text: &str) -> String {
        let seal = self.seal(&[context, text], Timestamp::from_micros(0));
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{}{hex}", &seal.to_hex()[..16])
    }

    /// What was wrapped.
    pub(crate) fn unwrap(&self, context: &str, wrapped: &str) -> Result<String, SealedError> {
        let (_, hex) = wrapped.split_at_checked(16).ok_or(SealedError)?;
        let byte = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
        let text = String::from_utf8(bytes.ok_or(SealedError)?).map_err(|_| SealedError)?;
        if self.wrap(context, &text) == wrapped { Ok(text) } else { Err(SealedError) }
    }

    fn seal(&self, facts: &[&str], until: Timestamp) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&until.as_micros().to_le_bytes());
        for fact in facts {
            hasher.update(&(fact.len() as u64).to_le_bytes()).update(fact.as_bytes());
        }
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(purpose: &str) -> Sealed {
        Sealed::new(&Secret::new("a secret of thirty-two characters"), purpose)
    }

    #[test]
    fn a_token_holds_for_its_facts_its_purpose_and_its_time() {
        let (now, later) = (Timestamp::from_micros(10), Timestamp::from_micros(20));
        let token = sealed("a").token(&["user", "order"], later);
        assert_eq!(sealed("a").check(&token, &["user", "order"], now), Ok(()));
        assert!(sealed("a").check(&token, &["user", "order"], later).is_err());
        assert!(sealed("a").check(&token, &["usero", "rder"], now).is_err());
        assert!(sealed("b").check(&token, &["user", "order"], now).is_err());
        let longer = token.replacen("14.", "ff.", 1);
        assert_ne!(longer, token);
        assert!(sealed("a").check(&longer, &["user", "order"], now).is_err());
        for bad in ["", ".", "14", "zz.zz", "14."] {
            assert!(sealed("a").check(bad, &["user", "order"], now).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_wrapped_opens_and_nothing_else_does() {
        let wrapped = sealed("a").wrap("orders", r#"[5,"강남"]"#);
        assert_eq!(sealed("a").unwrap("orders", &wrapped), Ok(r#"[5,"강남"]"#.to_owned()));
        assert!(sealed("a").unwrap("books", &wrapped).is_err());
        for bad in ["", "0", "강남", &wrapped[1..], &format!("{wrapped}0"), &format!("{wrapped}00")] {
            assert!(sealed("a").unwrap("orders", bad).is_err(), "{bad}");
        }
    }
}
