//! The tables of one generation, as its declared fields and texts make them.

use super::trouble::Trouble;
use gallae_core::{Field, FieldKind};
use gallae_ports::ProjectionSpec;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// What a projection declares, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) fields: Vec<(String, Kind)>,
    pub(super) text: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Text,
    Integer,
}

impl Shape {
    /// The shape of a specification, if its names can be columns.
    pub(super) fn of(spec: &ProjectionSpec) -> Result<Self, Trouble> {
        let fields: Vec<_> = spec.fields.iter().map(|field| (field.name.to_owned(), kind(field))).collect();
        for (at, (name, _)) in fields.iter().enumerate() {
            let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(Trouble::wrong(format!(
                    "the field {name:?} of {} is not named by lower case letters, digits and underscores",
                    spec.name
                )));
            }
            if fields[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Trouble::wrong(format!("{} declares the field {name:?} twice", spec.name)));
            }
        }
        Ok(Self { fields, text: spec.text.iter().map(|&name| name.to_owned()).collect() })
    }

    pub(super) fn read(json: &str) -> Result<Self, Trouble> {
        serde_json::from_str(json)
            .map_err(|error| Trouble::wrong(format!("a stored shape is unreadable: {error}")))
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

fn kind(field: &Field) -> Kind {
    match field.kind {
        FieldKind::Text => Kind::Text,
        FieldKind::Integer => Kind::Integer,
    }
}

/// A name that lives as long as the program, as highlights carry it. Programs declare few, and each is kept once.
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

/// A generation's tables by name, and the statements that its writes and point reads use.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) shape: Shape,
    /// The names of the texts.
    pub(super) text: Vec<&'static str>,
    /// Documents. Columns without a type keep a value as it is given.
    pub(super) documents: String,
    /// The columns of the fields, in their order.
    pub(super) columns: Vec<String>,
    /// Tokens of the texts, FTS5; there if texts are declared.
    pub(super) words: Option<String>,
    /// Sums; there if neither fields nor texts are declared, for only then may the projection be one of counters.
    pub(super) counters: Option<String>,
    pub(super) select: String,
    pub(super) stored: String,
    pub(super) insert: String,
}

impl Tables {
    /// The tables of a generation. Its numbers make the name unique; the words in it are for whoever looks at the file.
    pub(super) fn new(projection: i64, generation: u64, name: &str, shape: Shape) -> Self {
        let readable: String =
            name.chars().take(40).map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
        let base = format!("{projection}_{generation}_{readable}");
        let documents = format!("v{base}");
        let columns: Vec<String> = shape.fields.iter().map(|(name, _)| format!("f_{name}")).collect();
        let searched = !shape.text.is_empty();
        let also: String = columns.iter().map(|column| format!(", {column}")).collect();
        let texts = if searched { ", texts" } else { "" };
        let holes = ", ?".repeat(columns.len() + usize::from(searched));
        Self {
            select: format!("SELECT key, document, changed_at FROM {documents} WHERE key = ?"),
            stored: format!("SELECT id{texts}{also} FROM {documents} WHERE key = ?"),
            insert: format!(
                "INSERT INTO {documents} (key, changed_at, document{texts}{also}) VALUES (?, ?, ?{holes})"
            ),
            words: searched.then(|| format!("w{base}")),
            counters: (columns.is_empty() && !searched).then(|| format!("c{base}")),
            text: shape.text.iter().map(|name| interned(name)).collect(),
            documents,
            columns,
            shape,
        }
    }

    /// The column of a declared field.
    pub(super) fn column(&self, field: &str) -> Result<&str, Trouble> {
        let at = self.shape.fields.iter().position(|(name, _)| name == field);
        at.map(|at| self.columns[at].as_str())
            .ok_or_else(|| Trouble::wrong(format!("no field {field:?} is declared")))
    }

    /// Creates the tables, without the indexes that only queries need. The documents come last in their rows: what is
    /// filtered and ranked is then read without them.
    pub(super) fn create(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { documents, columns, .. } = self;
        let texts = if self.words.is_some() { "texts TEXT NOT NULL, " } else { "" };
        let fields: String = columns.iter().map(|column| format!("{column}, ")).collect();
        let mut sql = format!(
            "CREATE TABLE {documents} (id INTEGER PRIMARY KEY, key TEXT NOT NULL, changed_at INTEGER NOT NULL, {fields}{texts}
                 document BLOB NOT NULL);
             CREATE UNIQUE INDEX {documents}_key ON {documents} (key);"
        );
        if let Some(words) = &self.words {
            let names: String = (0..self.shape.text.len()).map(|at| format!("t{at}, ")).collect();
            sql += &format!(
                "CREATE VIRTUAL TABLE {words} USING fts5({names}tokenize = 'ascii', columnsize = 0);"
            );
        }
        if let Some(counters) = &self.counters {
            sql += &format!(
                "CREATE TABLE {counters} (counter TEXT NOT NULL, start INTEGER NOT NULL, sum INTEGER NOT NULL,
                     PRIMARY KEY (counter, start)) STRICT, WITHOUT ROWID;"
            );
        }
        connection.execute_batch(&sql)
    }

    /// The names of the indexes that queries need, each with the statement that creates it.
    pub(super) fn indexes(&self) -> impl Iterator<Item = (String, String)> {
        let documents = &self.documents;
        let fields = self.columns.iter().map(move |column| {
            let name = format!("{documents}_{column}");
            let sql = format!("CREATE INDEX {name} ON {documents} ({column}, key)");
            (name, sql)
        });
        let changed = self.words.iter().map(move |_| {
            let name = format!("{documents}_changed");
            let sql = format!("CREATE INDEX {name} ON {documents} (changed_at)");
            (name, sql)
        });
        fields.chain(changed)
    }
}
