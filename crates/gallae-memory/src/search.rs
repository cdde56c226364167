//! Documents found by text.

use crate::{
    MemoryProjections,
    conditions::Filter,
    generations::{Rows, ready},
};
use gallae_core::{Position, ViewKey};
use gallae_ports::{
    ApplyError, BoxFuture, Paging, SearchBatch, SearchHit, SearchPage, SearchQuery, SearchRow, SearchStore,
    Slot, StoreFault, StoredView,
    text::{NEXT_FIELD, Term, highlights, index_terms, query_terms},
};
use std::{collections::BTreeMap, ops::Bound};

/// A [`SearchStore`] in memory.
pub type MemorySearch = MemoryProjections<SearchRows>;

/// The documents of one generation.
#[derive(Debug, Default)]
pub struct SearchRows(BTreeMap<ViewKey, Indexed>);

#[derive(Debug)]
struct Indexed {
    row: SearchRow,
    /// Of each text field.
    tokens: Vec<Vec<String>>,
}

impl SearchRows {
    fn put(&mut self, row: SearchRow) {
        let tokens = row.text.iter().map(|text| index_terms(text)).collect();
        self.0.insert(row.key.clone(), Indexed { row, tokens });
    }
}

impl SearchStore for MemorySearch {
    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>> {
        let load =
            |rows: &Rows<SearchRows>| keys.iter().map(|key| rows.rows.0.get(key).map(stored)).collect();
        ready(self.lock().rows(slot).map(load))
    }

    fn apply(&self, slot: &Slot, batch: SearchBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let write = |rows: &mut SearchRows| {
            batch.rows.into_iter().for_each(|row| rows.put(row));
            for key in &batch.removed {
                rows.0.remove(key);
            }
        };
        ready(self.lock().advance(slot, (batch.from, batch.to), batch.epoch).map(write))
    }

    fn search(&self, projection: &str, query: &SearchQuery) -> BoxFuture<'_, Result<SearchPage, StoreFault>> {
        ready(self.lock().live(projection).and_then(|rows| search(rows, query)))
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let scan = |rows: &Rows<SearchRows>| {
            let rest = rows.rows.0.range((from, Bound::Unbounded));
            rest.take(limit).map(|(_, indexed)| stored(indexed)).collect()
        };
        ready(self.lock().rows(slot).map(scan))
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        repairs: Vec<(ViewKey, Option<SearchRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let write = |rows: &mut SearchRows| {
            for (key, row) in repairs {
                rows.0.remove(&key);
                row.into_iter().for_each(|row| rows.put(row));
            }
        };
        ready(self.lock().repair(projection, at).map(write))
    }
}

fn stored(indexed: &Indexed) -> StoredView {
    let SearchRow { key, document, changed_at, .. } = &indexed.row;
    StoredView { key: key.clone(), document: document.clone(), changed_at: *changed_at }
}

fn search(rows: &Rows<SearchRows>, query: &SearchQuery) -> Result<SearchPage, StoreFault> {
    let Paging::Page { offset, limit } = query.paging else {
        return Err(StoreFault::new("searching").because("a search is paged by offset"));
    };
    let filter = Filter::new(&query.conditions, rows.fields)?;
    let terms = query_terms(&query.text);
    let mut found: Vec<(f64, &Indexed)> = rows
        .rows
        .0
        .values()
        .filter(|indexed| filter.accepts(&indexed.row.fields))
        .filter_map(|indexed| Some((score(indexed, &terms)?, indexed)))
        .collect();
    // Stable: equal documents stay in the order of their keys.
    found.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| y.row.changed_at.cmp(&x.row.changed_at)));
    let total = found.len() as u64;
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let hit = |(score, indexed): (f64, &Indexed)| {
        let fields = rows.text.iter().zip(&indexed.row.text);
        let highlights = fields.filter_map(|(field, text)| highlights(field, text, &terms)).collect();
        SearchHit { row: stored(indexed), score, highlights }
    };
    Ok(SearchPage { hits: found.into_iter().skip(skip).take(limit).map(hit).collect(), total })
}

/// The matches of all terms, weighted by field; `None` when a term does not match.
fn score(indexed: &Indexed, terms: &[Term]) -> Option<f64> {
    let mut score = 0.0;
    for term in terms {
        let mut weight = 1.0;
        let mut matches = 0.0;
        for tokens in &indexed.tokens {
            matches += weight * f64::from(u32::try_from(term.count(tokens)).unwrap_or(u32::MAX));
            weight *= NEXT_FIELD;
        }
        if matches == 0.0 {
            return None;
        }
        score += matches;
    }
    Some(score)
}
