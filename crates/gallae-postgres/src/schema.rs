//! The schema's name in every statement: nothing depends on a search path, which a pooler would not keep.

use crate::OpenError;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, RwLock},
};

/// Stands for the schema in the texts of statements: `SELECT … FROM @.events`.
const PLACE: &str = "@.";

/// PostgreSQL cuts longer names off.
const MAX_NAME: usize = 48;

/// Where the tables are.
pub(crate) struct Schema {
    name: String,
    qualified: RwLock<HashMap<&'static str, Arc<str>>>,
}

impl Schema {
    pub(crate) fn new(name: &str) -> Result<Self, OpenError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !starts_well || name.len() > MAX_NAME || !name.bytes().all(plain) || name.starts_with("pg_") {
            let reason = format!(
                "{name:?} is not a name of at most {MAX_NAME} lower-case letters, digits and underscores that begins with a letter"
            );
            return Err(OpenError::Settings { what: "the schema", reason });
        }
        Ok(Self { name: name.to_owned(), qualified: RwLock::default() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A statement with the schema in it; remembered.
    pub(crate) fn statement(&self, text: &'static str) -> Arc<str> {
        let known = self.qualified.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(text).cloned();
        known.unwrap_or_else(|| {
            let qualified: Arc<str> = self.qualify(text).into();
            let mut all = self.qualified.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            Arc::clone(all.entry(text).or_insert(qualified))
        })
    }

    /// A statement with the schema in it, for texts made at run time.
    pub(crate) fn qualify(&self, text: &str) -> String {
        text.replace(PLACE, &format!("\"{}\".", self.name))
    }

    /// A number that stands for this schema in locks.
    pub(crate) fn lock_key(&self) -> i64 {
        // FNV-1a: the same in every release.
        let hash = self.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash.cast_signed()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_their_schema() {
        let schema = Schema::new("shop_1").unwrap();
        for _ in 0..2 {
            let statement = schema.statement("SELECT 1 FROM @.events JOIN @.store ON true");
            assert_eq!(&*statement, "SELECT 1 FROM \"shop_1\".events JOIN \"shop_1\".store ON true");
        }
    }

    #[test]
    fn names_that_need_care_are_refused() {
        for name in ["", "Shop", "1shop", "shop-1", "pg_shop", "shop\"; DROP", &"s".repeat(49)] {
            assert!(Schema::new(name).is_err(), "{name}");
        }
    }
}
