//! Search. PostgreSQL finds the documents by words of our own, because none of its dictionaries finds 강남 in 서울시강남구; it
//! checks that pairs of characters hang together, and counts matches, in the folded texts.

use super::{
    PostgresViews,
    documents::{self, Document, stored_view},
    failure::Failure,
    filter,
    params::Params,
    reading::{Found, PLACE_COLUMNS, Select},
    tables::Tables,
    writing::Admission,
};
use futures::FutureExt;
use gallae_core::{Position, ViewKey};
use gallae_ports::{
    ApplyError, BoxFuture, Highlight, Paging, SearchBatch, SearchHit, SearchPage, SearchQuery, SearchRow,
    SearchStore, Slot, StoreFault, StoredView,
    text::{self, NEXT_FIELD, Term},
};
use std::collections::BTreeSet;

/// The longest word that is indexed, in characters: as long as the longest query.
const WORD_CHARS: usize = 200;
/// The words of one document that are indexed, in bytes. PostgreSQL takes twice as many.
const WORDS_BYTES: usize = 500_000;

/// The columns of a page, behind those of the place: the total, key, document, position, score, texts.
const TOTAL: usize = PLACE_COLUMNS;
const VIEW: usize = TOTAL + 1;
const SCORE: usize = VIEW + 3;
const TEXTS: usize = SCORE + 1;

impl SearchStore for PostgresViews {
    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>> {
        let (slot, keys) = (slot.clone(), keys.to_owned());
        async move { Self::fault("loading search documents", self.load_documents(&slot, &keys).await) }
            .boxed()
    }

    fn apply(&self, slot: &Slot, batch: SearchBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let slot = slot.clone();
        async move {
            let SearchBatch { from, to, epoch, rows, removed } = &batch;
            let admission = Admission::Batch { from: *from, to: *to, epoch: *epoch };
            self.apply_to("applying rows to a search index", &slot, admission, |tables, params| {
                documents::changes(tables, params, rows.iter().map(document), removed.iter())
            })
            .await
        }
        .boxed()
    }

    fn search(&self, projection: &str, query: &SearchQuery) -> BoxFuture<'_, Result<SearchPage, StoreFault>> {
        let (projection, query) = (projection.to_owned(), query.clone());
        async move {
            let terms = text::query_terms(&query.text);
            let select = |tables: &Tables, params: Params<'static>| select(tables, params, &query, &terms);
            let found = Self::fault("searching", self.read_live(&projection, select).await)?;
            Self::fault("searching", page(&found, &terms))
        }
        .boxed()
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>> {
        let (slot, after) = (slot.clone(), after.cloned());
        async move {
            let scanned = self.scan_documents(&slot, after.as_ref(), limit).await;
            Self::fault("scanning search documents", scanned)
        }
        .boxed()
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<SearchRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let projection = projection.to_owned();
        async move {
            self.repair_live("repairing a search index", &projection, at, |tables, params| {
                let kept = rows.iter().filter_map(|(_, row)| row.as_ref()).map(document);
                let removed = rows.iter().filter(|(_, row)| row.is_none()).map(|(key, _)| key);
                documents::changes(tables, params, kept, removed)
            })
            .await
        }
        .boxed()
    }
}

fn document(row: &SearchRow) -> Document<'_> {
    let SearchRow { key, document, fields, text, changed_at } = row;
    Document { key, document, fields, text, changed_at: *changed_at }
}

/// The words of a document's texts, in the form in which PostgreSQL reads a `tsvector`. Words are letters and digits: there is
/// nothing to escape.
pub(super) fn vector(texts: &[String]) -> String {
    let words: BTreeSet<String> =
        texts.iter().flat_map(|text| text::index_terms(text)).map(clipped).collect();
    let mut vector = String::new();
    for word in words {
        if vector.len() + word.len() > WORDS_BYTES {
            break;
        }
        vector.extend(["'", &word, "' "]);
    }
    vector
}

fn clipped(mut word: String) -> String {
    if let Some((end, _)) = word.char_indices().nth(WORD_CHARS) {
        word.truncate(end);
    }
    word
}

/// What to look for, in the form in which PostgreSQL reads a `tsquery`.
fn expression(terms: &[Term]) -> String {
    let words = terms.iter().flat_map(|term| {
        let suffix = if term.prefix { ":*" } else { "" };
        term.tokens().into_iter().map(move |word| format!("'{}'{suffix}", clipped(word)))
    });
    words.collect::<Vec<_>>().join(" & ")
}

fn select(
    tables: &Tables,
    mut params: Params<'static>,
    query: &SearchQuery,
    terms: &[Term],
) -> Result<Select, Failure> {
    let Some(words) = &tables.words else {
        return Err(Failure::wrong("the projection declares no texts to search"));
    };
    let Paging::Page { offset, limit } = query.paging else {
        let given = "searches are paged by offset: no cursor of a search is ever given out";
        return Err(Failure::wrong(given));
    };
    let (offset, limit) =
        (i64::try_from(offset).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
    let part = format!("LIMIT {limit} OFFSET {offset}");
    let documents = &tables.documents;
    let tests = filter::tests(tables, &query.conditions, &mut params)?;
    let (once, page) = if terms.is_empty() {
        let once = format!("(SELECT count(*) FROM {documents} d WHERE true{tests}), ");
        let page = format!(
            "SELECT d.key, d.document, d.changed_at, 0::float8 AS score, NULL::bytea AS texts
             FROM {documents} d WHERE true{tests} ORDER BY d.changed_at DESC, d.key {part}"
        );
        (once, page)
    } else {
        let ranked = ranked(tables, words, &tests, terms, &mut params);
        let page = format!(
            "WITH ranked AS MATERIALIZED ({ranked}), total AS MATERIALIZED (SELECT count(*) AS hits FROM ranked)
             SELECT total.hits, best.key, d.document, d.changed_at, best.score, w.texts
             FROM total LEFT JOIN (SELECT * FROM ranked ORDER BY score DESC, changed_at DESC, key {part}) best ON true
             LEFT JOIN {documents} d ON d.key = best.key LEFT JOIN {words} w ON w.key = best.key"
        );
        ("page.hits, ".to_owned(), page)
    };
    let columns = "page.key, page.document, page.changed_at, page.score, page.texts".to_owned();
    let order = " ORDER BY page.score DESC, page.changed_at DESC, page.key".to_owned();
    Ok(Select { once, columns, page, order, params, prepare: false })
}

/// Every document that matches, with its score: the matches in all fields, weighted.
fn ranked(tables: &Tables, words: &str, tests: &str, terms: &[Term], params: &mut Params<'_>) -> String {
    let expression = params.text(expression(terms));
    let (mut hang_together, mut counts) = (String::new(), vec![Vec::new(); tables.text.len()]);
    for term in terms {
        let needle = term.needle();
        let (bytes, needle) = (needle.len(), params.text(needle));
        let columns: Vec<String> = tables.text_columns().collect();
        // One word is there if the index says so; several must be neighbours.
        if !term.prefix && term.tokens().len() > 1 {
            let places: Vec<_> =
                columns.iter().map(|column| format!("strpos(w.{column}, {needle}) > 0")).collect();
            hang_together += &format!(" AND ({})", places.join(" OR "));
        }
        for (column, counts) in columns.iter().zip(&mut counts) {
            counts.push(format!(
                "(octet_length(w.{column}) - octet_length(replace(w.{column}, {needle}, ''))) / {bytes}"
            ));
        }
    }
    let mut weight = 1.0;
    let weighted = counts.into_iter().map(|counts| {
        let field = format!("{weight}::float8 * ({})", counts.join(" + "));
        weight *= NEXT_FIELD;
        field
    });
    let score = weighted.collect::<Vec<_>>().join(" + ");
    format!(
        "SELECT w.key, d.changed_at, {score} AS score FROM {words} w JOIN {} d ON d.key = w.key
         WHERE w.words @@ {expression}::tsquery{hang_together}{tests}",
        tables.documents
    )
}

fn page(found: &Found, terms: &[Term]) -> Result<SearchPage, Failure> {
    let total: Option<i64> = found.rows.first().and_then(|row| row.get(TOTAL));
    let hits = found.rows.iter().filter_map(|row| Some((stored_view(row, VIEW)?, row)));
    let hit = |(view, row): (StoredView, &tokio_postgres::Row)| {
        let highlights = match row.get::<_, Option<&[u8]>>(TEXTS) {
            Some(texts) => highlights(&found.tables, texts, terms)?,
            None => Vec::new(),
        };
        Ok(SearchHit { row: view, score: row.get(SCORE), highlights })
    };
    Ok(SearchPage {
        hits: hits.map(hit).collect::<Result<_, Failure>>()?,
        total: total.unwrap_or_default().unsigned_abs(),
    })
}

fn highlights(tables: &Tables, texts: &[u8], terms: &[Term]) -> Result<Vec<Highlight>, Failure> {
    let unreadable = |error| Failure::wrong(format!("stored texts are unreadable: {error}"));
    let texts: Vec<String> = serde_json::from_slice(texts).map_err(unreadable)?;
    let fields = tables.text.iter().zip(&texts);
    Ok(fields.filter_map(|(field, text)| text::highlights(field, text, terms)).collect())
}
