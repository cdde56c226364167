//! The tables of one generation, as its declared fields and texts make them.

use gallae_ports::{Kind, Mismatch, Shape};

/// The longest name of a field: PostgreSQL cuts longer names of columns off.
const MAX_FIELD_NAME: usize = 60;
/// How much of a projection's name is in the names of its tables.
const READABLE: usize = 28;

/// A generation and its tables by name. `@.` stands for the schema.
#[derive(Debug)]
pub(super) struct Tables {
    /// The number of the projection.
    pub(super) projection: i64,
    pub(super) generation: i64,
    pub(super) shape: Shape,
    /// The names of the texts.
    pub(super) text: Vec<&'static str>,
    /// Documents.
    pub(super) documents: String,
    /// The columns of the fields, in their order.
    pub(super) columns: Vec<String>,
    /// Words of the texts; there if texts are declared.
    pub(super) words: Option<String>,
    /// Sums; there if neither fields nor texts are declared, for only then may the projection be one of counters.
    pub(super) counters: Option<String>,
    /// What the names of indexes begin with.
    base: String,
}

impl Tables {
    /// The tables of a generation. Its numbers make the names unique; the words in them are for whoever looks.
    pub(super) fn new(projection: i64, generation: i64, name: &str, shape: Shape) -> Self {
        let plain = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '_' };
        let readable: String = name.chars().take(READABLE).map(plain).collect();
        let base = format!("{projection}_{generation}_{readable}");
        let columns: Vec<String> = shape.fields.iter().map(|(name, _)| format!("f_{name}")).collect();
        let searched = !shape.text.is_empty();
        Self {
            projection,
            generation,
            text: shape.text_names(),
            documents: format!("@.v{base}"),
            words: searched.then(|| format!("@.w{base}")),
            counters: (columns.is_empty() && !searched).then(|| format!("@.c{base}")),
            columns,
            shape,
            base,
        }
    }

    /// The shape of a specification, if PostgreSQL can name its columns.
    pub(super) fn shape_of(spec: &gallae_ports::ProjectionSpec) -> Result<Shape, Mismatch> {
        let shape = Shape::of(spec)?;
        match shape.fields.iter().find(|(name, _)| name.len() > MAX_FIELD_NAME) {
            Some((name, _)) => Err(Mismatch(format!(
                "the field {name} of {} has a name of more than {MAX_FIELD_NAME} characters",
                spec.name
            ))),
            None => Ok(shape),
        }
    }

    /// The column of a declared field, and what it holds.
    pub(super) fn column(&self, field: &str) -> Result<(&str, Kind), Mismatch> {
        let at = self.shape.field(field)?;
        Ok((&self.columns[at], self.shape.fields[at].1))
    }

    /// The columns that hold the folded texts, in their order.
    pub(super) fn text_columns(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.text.len()).map(|at| format!("t{at}"))
    }

    /// The sums, if the projection may be one of counters.
    pub(super) fn counters(&self) -> Result<&str, Mismatch> {
        let none = || Mismatch("the projection has fields, so it holds no counters".to_owned());
        self.counters.as_deref().ok_or_else(none)
    }

    /// Creates the tables, without the indexes that only queries need. Everything is compared byte by byte. The documents come
    /// last in their rows: what is filtered is then read without them.
    pub(super) fn create(&self) -> String {
        let Self { documents, base, .. } = self;
        let kinds = self.shape.fields.iter().map(|(_, kind)| match kind {
            Kind::Text => "text COLLATE \"C\"",
            Kind::Integer => "bigint",
        });
        let fields: String =
            self.columns.iter().zip(kinds).map(|(column, kind)| format!("{column} {kind}, ")).collect();
        let mut sql = format!(
            "CREATE TABLE {documents} (key text COLLATE \"C\" NOT NULL, changed_at bigint NOT NULL, {fields}document bytea NOT NULL,
                 CONSTRAINT v{base}_k PRIMARY KEY (key));"
        );
        if let Some(words) = &self.words {
            let texts: String =
                self.text_columns().map(|column| format!("{column} text COLLATE \"C\" NOT NULL, ")).collect();
            sql += &format!(
                "CREATE TABLE {words} (key text COLLATE \"C\" NOT NULL, words tsvector NOT NULL, {texts}texts bytea NOT NULL,
                     CONSTRAINT w{base}_k PRIMARY KEY (key));"
            );
        }
        if let Some(counters) = &self.counters {
            sql += &format!(
                "CREATE TABLE {counters} (counter text COLLATE \"C\" NOT NULL, start bigint NOT NULL, sum bigint NOT NULL,
                     CONSTRAINT c{base}_k PRIMARY KEY (counter, start));"
            );
        }
        sql
    }

    /// The statements that create the indexes that queries need, unless they are there. A field's index holds no value before
    /// every value, as [`FieldValue`](gallae_core::FieldValue) has it.
    pub(super) fn indexes(&self) -> impl Iterator<Item = String> {
        let Self { documents, base, .. } = self;
        let fields = self.columns.iter().enumerate().map(move |(at, column)| {
            format!("CREATE INDEX IF NOT EXISTS v{base}_{at} ON {documents} ({column} NULLS FIRST, key)")
        });
        let searched = self.words.iter().flat_map(move |words| {
            [
                format!("CREATE INDEX IF NOT EXISTS v{base}_c ON {documents} (changed_at DESC, key)"),
                format!("CREATE INDEX IF NOT EXISTS w{base}_w ON {words} USING gin (words)"),
            ]
        });
        fields.chain(searched)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.documents).chain(&self.words).chain(&self.counters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_are_not_cut_off() {
        let fields = vec![("f".repeat(MAX_FIELD_NAME), Kind::Text); 100];
        let shape = Shape { fields, text: vec!["t".to_owned()] };
        let tables = Tables::new(9_999_999_999, 9_999_999_999, &"name".repeat(30), shape);
        assert!(tables.names().all(|name| name.trim_start_matches("@.").len() + "_99".len() <= 63));
        assert!(tables.columns.iter().all(|column| column.len() <= 63));
    }
}
