//! Search. FTS5 finds the documents; it indexes tokens of our own, because none of its tokenizers finds 강남 in 서울시강남구.
//! The rank is counted from the stored tokens: that of FTS5 depends on the length of the texts.

use super::{
    SqliteViews,
    documents::{self, Document, Pen, stored_view},
    filter::{Drive, Filter},
    generations,
    session::Session,
    shape::Tables,
    trouble::Trouble,
};
use gallae_core::{Position, ViewKey};
use gallae_ports::{
    ApplyError, BoxFuture, Highlight, Paging, SearchBatch, SearchHit, SearchPage, SearchQuery, SearchRow,
    SearchStore, Slot, StoreFault, StoredView,
    text::{self, NEXT_FIELD, Term},
};
use rusqlite::{Row, params_from_iter, types::Value};
use std::cmp::Reverse;

impl SearchStore for SqliteViews {
    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>> {
        let (slot, keys) = (slot.clone(), keys.to_owned());
        Box::pin(
            self.on_reader("loading search documents", move |session| documents::load(session, &slot, &keys)),
        )
    }

    fn apply(&self, slot: &Slot, batch: SearchBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let slot = slot.clone();
        let applied = self.on_writer("applying rows to a search index", move |session| {
            match generations::admit(session, &slot, (batch.from, batch.to), batch.epoch)? {
                Err(refusal) => Ok(Err(refusal)),
                Ok(standing) => {
                    let mut pen = Pen::new(session, &standing)?;
                    batch.rows.iter().try_for_each(|row| pen.write(&document(row)))?;
                    batch.removed.iter().try_for_each(|key| pen.remove(key))?;
                    Ok(Ok(()))
                }
            }
        });
        Box::pin(async move { applied.await.map_err(ApplyError::Unavailable)? })
    }

    fn search(&self, projection: &str, query: &SearchQuery) -> BoxFuture<'_, Result<SearchPage, StoreFault>> {
        let (projection, query) = (projection.to_owned(), query.clone());
        Box::pin(self.on_reader("searching", move |session| search(session, &projection, &query)))
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>> {
        let (slot, after) = (slot.clone(), after.cloned());
        Box::pin(self.on_reader("scanning search documents", move |session| {
            documents::scan(session, &slot, after.as_ref(), limit)
        }))
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<SearchRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let projection = projection.to_owned();
        let repaired =
            self.on_writer("repairing a search index", move |session| {
                match generations::still_at(session, &projection, at)? {
                    Err(refusal) => Ok(Err(refusal)),
                    Ok(standing) => {
                        let mut pen = Pen::new(session, &standing)?;
                        rows.iter().try_for_each(|(key, row)| match row {
                            Some(row) => pen.write(&document(row)),
                            None => pen.remove(key),
                        })?;
                        Ok(Ok(()))
                    }
                }
            });
        Box::pin(async move { repaired.await.map_err(ApplyError::Unavailable)? })
    }
}

fn document(row: &SearchRow) -> Document<'_> {
    let SearchRow { key, document, fields, text, changed_at } = row;
    Document { key, document, fields, text, changed_at: *changed_at }
}

fn search(session: &mut Session, projection: &str, query: &SearchQuery) -> Result<SearchPage, Trouble> {
    let tables = session.known(projection)?.tables;
    let Some(words) = &tables.words else {
        return Err(Trouble::wrong(format!("{projection} declares no texts to search")));
    };
    let Paging::Page { offset, limit } = query.paging else {
        return Err(Trouble::wrong("searches are paged by offset: no cursor of a search is ever given out"));
    };
    let part = (usize::try_from(offset).unwrap_or(usize::MAX), limit);
    let filter = Filter::of(&tables, &query.conditions)?;
    let terms = text::query_terms(&query.text);
    if terms.is_empty() {
        return newest(session, &tables, &filter, part);
    }
    let (ranked, total) = rank(session, &tables, words, &filter, &terms, part)?;
    let sql = format!("SELECT key, document, changed_at, texts FROM {} WHERE id = ?", tables.documents);
    let mut select = session.connection.prepare_cached(&sql)?;
    let hits = ranked.into_iter().map(|Ranked { id, score, .. }| {
        let (row, texts) = select.query_row([id], |row| Ok((stored_view(row)?, row.get::<_, String>(3)?)))?;
        Ok(SearchHit { row, score, highlights: highlights(&tables, &texts, &terms)? })
    });
    Ok(SearchPage { hits: hits.collect::<Result<_, Trouble>>()?, total })
}

/// All documents that pass the filter, newest change first.
fn newest(
    session: &Session,
    tables: &Tables,
    filter: &Filter,
    (offset, limit): (usize, usize),
) -> Result<SearchPage, Trouble> {
    let order = Some("changed_at");
    let drive = filter.drive(&session.connection, &tables.documents, order)?;
    let plus = if drive == Drive::Order { "" } else { "+" };
    let sql = format!(
        "SELECT key, document, changed_at FROM {} WHERE true{} ORDER BY {plus}changed_at DESC, key LIMIT ? OFFSET ?",
        tables.documents,
        filter.sql(drive, order)
    );
    let bounds = [limit, offset].map(|bound| Value::Integer(i64::try_from(bound).unwrap_or(i64::MAX)));
    let mut select = session.connection.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(filter.values().chain(&bounds)), stored_view)?;
    let hit = |row| Ok(SearchHit { row: row?, score: 0.0, highlights: Vec::new() });
    Ok(SearchPage {
        hits: rows.map(hit).collect::<Result<_, Trouble>>()?,
        total: filter.count(&session.connection, &tables.documents, drive)?,
    })
}

/// A document that matches, in the order of results: the smallest comes first.
struct Ranked {
    score: f64,
    changed_at: i64,
    key: String,
    id: i64,
}

impl Ranked {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let newest = Reverse(self.changed_at).cmp(&Reverse(other.changed_at));
        other.score.total_cmp(&self.score).then(newest).then_with(|| self.key.cmp(&other.key))
    }
}

/// The asked part of the documents that match, in order, and how many match.
fn rank(
    session: &Session,
    tables: &Tables,
    words: &str,
    filter: &Filter,
    terms: &[Term],
    (offset, limit): (usize, usize),
) -> Result<(Vec<Ranked>, u64), Trouble> {
    let needles: Vec<Needle> = terms.iter().map(Needle::of).collect();
    let columns: String = (0..tables.shape.text.len()).map(|at| format!(", t{at}")).collect();
    let documents = &tables.documents;
    // The cross join keeps the search first: no index of a field leaves fewer rows than the words of a person.
    let sql = format!(
        "SELECT id, key, changed_at{columns} FROM {words} CROSS JOIN {documents} ON id = {words}.rowid
         WHERE {words} MATCH ?{}",
        filter.sql(Drive::Order, None)
    );
    let expression = Value::Text(needles.iter().map(Needle::expression).collect::<Vec<_>>().join(" AND "));
    let mut select = session.connection.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(std::iter::once(&expression).chain(filter.values())))?;

    let wanted = offset.saturating_add(limit);
    let mut best: Vec<Ranked> = Vec::new();
    let mut total = 0;
    while let Some(row) = rows.next()? {
        total += 1;
        let score = score(row, tables.shape.text.len(), &needles)?;
        best.push(Ranked { score, id: row.get(0)?, key: row.get(1)?, changed_at: row.get(2)? });
        if best.len() / 2 > wanted.saturating_add(512) {
            best.select_nth_unstable_by(wanted, Ranked::order);
            best.truncate(wanted);
        }
    }
    best.sort_unstable_by(Ranked::order);
    Ok((best.into_iter().skip(offset).take(limit).collect(), total))
}

/// The matches in all fields, weighted.
fn score(row: &Row<'_>, fields: usize, needles: &[Needle]) -> rusqlite::Result<f64> {
    let (mut score, mut weight) = (0.0, 1.0);
    for field in 0..fields {
        let tokens = row.get_ref(3 + field)?.as_str()?;
        let matches: usize = needles.iter().map(|needle| needle.count(tokens)).sum();
        score += weight * matches as f64;
        weight *= NEXT_FIELD;
    }
    Ok(score)
}

/// A term in the form of the stored tokens: joined by spaces.
struct Needle {
    tokens: String,
    prefix: bool,
}

impl Needle {
    fn of(term: &Term) -> Self {
        Self { tokens: term.tokens().join(" "), prefix: term.prefix }
    }

    /// For FTS5. Tokens are letters and digits: there is nothing to escape.
    fn expression(&self) -> String {
        format!("\"{}\"{}", self.tokens, if self.prefix { " *" } else { "" })
    }

    fn count(&self, tokens: &str) -> usize {
        let starts = std::iter::once(0).chain(tokens.match_indices(' ').map(|(space, _)| space + 1));
        let rest = starts.filter_map(|start| tokens[start..].strip_prefix(&*self.tokens));
        rest.filter(|rest| self.prefix || rest.is_empty() || rest.starts_with(' ')).count()
    }
}

fn highlights(tables: &Tables, texts: &str, terms: &[Term]) -> Result<Vec<Highlight>, Trouble> {
    let unreadable = |error| Trouble::wrong(format!("stored texts are unreadable: {error}"));
    let texts: Vec<String> = serde_json::from_str(texts).map_err(unreadable)?;
    let fields = tables.text.iter().zip(&texts);
    Ok(fields.filter_map(|(field, text)| text::highlights(field, text, terms)).collect())
}
