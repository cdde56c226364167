//! What a projection declares, in the form in which a store keeps it beside the rows.

use crate::ProjectionSpec;
use gallae_core::{Field, FieldKind};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// The call does not fit what is declared or stored; trying again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mismatch(pub String);

/// The declared fields and texts of a projection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The fields that queries filter and sort by: names and kinds, in their order.
    pub fields: Vec<(String, Kind)>,
    /// The names of the texts, in their order.
    pub text: Vec<String>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text, compared byte by byte.
    Text,
    /// A signed 64-bit number.
    Integer,
}

impl Shape {
    /// The shape of a specification, if its field names can be columns: lower case letters, digits and underscores, none
    /// twice.
    ///
    /// # Errors
    /// Names the field that is not so.
    pub fn of(spec: &ProjectionSpec) -> Result<Self, Mismatch> {
        let fields: Vec<_> = spec.fields.iter().map(|field| (field.name.to_owned(), kind(field))).collect();
        for (at, (name, _)) in fields.iter().enumerate() {
            let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(Mismatch(format!(
                    "the field {name:?} of {} is not named by lower case letters, digits and underscores",
                    spec.name
                )));
            }
            if fields[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Mismatch(format!("{} declares the field {name:?} twice", spec.name)));
            }
        }
        Ok(Self { fields, text: spec.text.iter().map(|&name| name.to_owned()).collect() })
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(json: &str) -> Result<Self, Mismatch> {
        serde_json::from_str(json).map_err(|error| Mismatch(format!("a stored shape is unreadable: {error}")))
    }

    /// As it is stored.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Where a declared field stands.
    ///
    /// # Errors
    /// When no such field is declared.
    pub fn field(&self, name: &str) -> Result<usize, Mismatch> {
        let at = self.fields.iter().position(|(declared, _)| declared == name);
        at.ok_or_else(|| Mismatch(format!("no field {name:?} is declared")))
    }

    /// Whether a row has as many fields and texts as are declared.
    ///
    /// # Errors
    /// When it has more or fewer.
    pub fn check(&self, key: &str, fields: usize, texts: usize) -> Result<(), Mismatch> {
        if (fields, texts) == (self.fields.len(), self.text.len()) {
            return Ok(());
        }
        let (declared, declared_texts) = (self.fields.len(), self.text.len());
        Err(Mismatch(format!(
            "the row {key} has {fields} fields and {texts} texts; {declared} and {declared_texts} are declared"
        )))
    }

    /// The names of the texts as highlights carry them.
    pub fn text_names(&self) -> Vec<&'static str> {
        self.text.iter().map(|name| interned(name)).collect()
    }
}

fn kind(field: &Field) -> Kind {
    match field.kind {
        FieldKind::Text => Kind::Text,
        FieldKind::Integer => Kind::Integer,
    }
}

/// A name that lives as long as the program. Programs declare few, and each is kept once.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.into());
    names.insert(kept);
    kept
}
