//! The tables of one generation, as its declared fields and texts make them.

use super::trouble::Trouble;
use gallae_ports::Shape;
use rusqlite::Connection;

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
            text: shape.text_names(),
            documents,
            columns,
            shape,
        }
    }

    /// The column of a declared field.
    pub(super) fn column(&self, field: &str) -> Result<&str, Trouble> {
        Ok(&self.columns[self.shape.field(field)?])
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
