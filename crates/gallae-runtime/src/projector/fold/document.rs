//! Folding events into documents, one per key.

use super::{
    Differences, Documents, Fold, Folded, Listens, Refused, RowKey, Suspects, Writer,
    cache::{Cache, Held},
    compare, decode_error, guarded, stream_key,
};
use crate::projector::{ProjectionKind, parked::Parked};
use bytes::Bytes;
use futures::FutureExt;
use gallae_core::{EventSet, Position, Projection, Recorded, RecordedEvent, View, ViewKey, decode_into_set};
use gallae_ports::{
    ApplyError, BoxFuture, ProjectionSpec, ProjectionStore, SearchBatch, SearchRow, Slot, StoreFault,
    StoredView,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Views kept in memory per generation.
const CACHED: usize = 4096;

/// The text of a searched document; nothing for other views.
type Text<V> = fn(&V) -> Vec<String>;

/// A projection into documents.
pub(in crate::projector) struct DocumentFold<P: Projection> {
    spec: ProjectionSpec,
    kind: ProjectionKind,
    store: Arc<dyn Documents>,
    text: Text<P::View>,
    listens: Listens,
}

impl<P: Projection> DocumentFold<P> {
    pub(in crate::projector) fn new(
        kind: ProjectionKind,
        store: Arc<dyn Documents>,
        text_fields: &'static [&'static str],
        text: Text<P::View>,
    ) -> Self {
        let fields = P::View::FIELDS;
        let spec = ProjectionSpec { name: P::NAME, revision: P::REVISION, fields, text: text_fields };
        Self { spec, kind, store, text, listens: Listens::to(P::Events::types()) }
    }
}

impl<P: Projection> Fold for DocumentFold<P> {
    fn spec(&self) -> &ProjectionSpec {
        &self.spec
    }

    fn kind(&self) -> ProjectionKind {
        self.kind
    }

    fn store(&self) -> &dyn ProjectionStore {
        self.store.projections()
    }

    fn writer(&self, slot: Slot) -> Box<dyn Writer> {
        Box::new(DocumentWriter::<P> {
            store: Arc::clone(&self.store),
            text: self.text,
            listens: self.listens.clone(),
            slot,
            cache: Cache::new(CACHED),
            prepared: Vec::new(),
        })
    }

    fn changed_at<'a>(
        &'a self,
        slot: &'a Slot,
        keys: &'a [ViewKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Position>>, StoreFault>> {
        async move {
            let rows = self.store.load(slot, keys).await?;
            Ok(rows.into_iter().map(|row| row.map(|row| row.changed_at)).collect())
        }
        .boxed()
    }

    fn survey<'a>(&'a self, live: &'a Slot, shadow: &'a Slot) -> BoxFuture<'a, Result<Suspects, StoreFault>> {
        compare::survey(&*self.store, live, shadow).boxed()
    }

    fn compare<'a>(
        &'a self,
        live: &'a Slot,
        shadow: &'a Slot,
        suspects: &'a BTreeSet<ViewKey>,
    ) -> BoxFuture<'a, Result<Differences, StoreFault>> {
        compare::documents(&*self.store, live, shadow, suspects).boxed()
    }

    fn repair<'a>(
        &'a self,
        at: Position,
        shadow: &'a Slot,
        differing: &'a [RowKey],
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        async move {
            for keys in differing.chunks(super::ROWS_PER_READ) {
                let keys: Vec<ViewKey> = keys.iter().filter_map(RowKey::view).collect();
                let right = self.store.load(shadow, &keys).await.map_err(ApplyError::Unavailable)?;
                let row = |stored: StoredView| row_of_stored::<P::View>(stored, self.text);
                let rows = keys.into_iter().zip(right);
                let rows: Result<Vec<_>, StoreFault> =
                    rows.map(|(key, stored)| Ok((key, stored.map(row).transpose()?))).collect();
                let rows = rows.map_err(ApplyError::Unavailable)?;
                self.store.repair(self.spec.name, at, rows).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

/// The events of one batch that change one view.
struct Work<P: Projection> {
    key: ViewKey,
    events: Vec<Recorded<P::Events>>,
}

/// What a view has become, ready to be written.
struct Prepared<V> {
    key: ViewKey,
    held: Held<V>,
    /// None: the view is gone.
    row: Option<SearchRow>,
}

struct DocumentWriter<P: Projection> {
    store: Arc<dyn Documents>,
    text: Text<P::View>,
    listens: Listens,
    slot: Slot,
    cache: Cache<P::View>,
    prepared: Vec<Prepared<P::View>>,
}

impl<P: Projection> Writer for DocumentWriter<P> {
    fn fold<'a>(
        &'a mut self,
        events: &'a [Arc<RecordedEvent>],
        parked: &'a Parked,
        again: Option<&'a ViewKey>,
    ) -> BoxFuture<'a, Result<Folded, StoreFault>> {
        self.prepare(events, parked, again).boxed()
    }

    fn touched(&self) -> Vec<ViewKey> {
        self.prepared.iter().map(|prepared| prepared.key.clone()).collect()
    }

    fn apply(&mut self, from: Position, to: Position, epoch: u64) -> BoxFuture<'_, Result<(), ApplyError>> {
        async move {
            let mut prepared = std::mem::take(&mut self.prepared);
            let mut batch = SearchBatch { from, to, epoch, ..SearchBatch::default() };
            for Prepared { key, row, .. } in &mut prepared {
                match row.take() {
                    Some(row) => batch.rows.push(row),
                    None => batch.removed.push(key.clone()),
                }
            }
            if let Err(error) = self.store.apply(&self.slot, batch).await {
                self.cache.clear();
                return Err(error);
            }
            for Prepared { key, held, .. } in prepared {
                self.cache.insert(key, held);
            }
            Ok(())
        }
        .boxed()
    }

    fn abandon(&mut self) {
        self.prepared.clear();
    }
}

impl<P: Projection> DocumentWriter<P> {
    async fn prepare(
        &mut self,
        events: &[Arc<RecordedEvent>],
        parked: &Parked,
        again: Option<&ViewKey>,
    ) -> Result<Folded, StoreFault> {
        self.prepared.clear();
        let mut refused = Vec::new();
        let work = self.sort(events, parked, &mut refused);
        let bases = self.bases(&work).await?;
        let mut doubtful = Vec::new();
        for (mut work, base) in work.into_iter().zip(bases) {
            // An event of a parked key that the row already contains was applied before a crash.
            if let (Some(_), Ok(base)) = (again.filter(|again| **again == work.key), &base) {
                work.events.retain(|event| event.position() > base.changed_at);
            }
            if work.events.is_empty() {
                continue;
            }
            let folded = base.and_then(|base| guarded(|| project_all::<P>(&work, base, self.text)).flatten());
            match folded {
                Ok(prepared) => self.prepared.push(prepared),
                Err(_) => doubtful.push(work),
            }
        }
        if !doubtful.is_empty() {
            self.prepare_one_by_one(doubtful, &mut refused).await?;
        }
        refused.sort_by_key(|refused| refused.event.position);
        Ok(Folded { changed: !self.prepared.is_empty(), refused })
    }

    /// Decodes the events that this projection hears, and puts those of one view together, in order.
    fn sort(
        &self,
        events: &[Arc<RecordedEvent>],
        parked: &Parked,
        refused: &mut Vec<Refused>,
    ) -> Vec<Work<P>> {
        let mut work: Vec<Work<P>> = Vec::new();
        let mut places: HashMap<ViewKey, usize> = HashMap::new();
        let mut unreadable: BTreeSet<ViewKey> = BTreeSet::new();
        for event in events.iter().filter(|event| self.listens.hears(event)) {
            let stream = || stream_key(event);
            if !unreadable.is_empty() && unreadable.contains(&stream())
                || !parked.is_empty() && parked.holds(&stream(), event.position)
            {
                if !parked.contains(event.position) {
                    refused.push(Refused::waiting(stream(), event));
                }
                continue;
            }
            let (key, recorded) = match read::<P>(event) {
                Ok(Some(keyed)) => keyed,
                Ok(None) => continue,
                Err(error) => {
                    unreadable.insert(stream());
                    refused.push(Refused::poison(stream(), event, error));
                    continue;
                }
            };
            if parked.holds(&key, event.position) {
                if !parked.contains(event.position) {
                    refused.push(Refused::waiting(key, event));
                }
                continue;
            }
            match places.get(&key) {
                Some(&place) => work[place].events.push(recorded),
                None => {
                    places.insert(key.clone(), work.len());
                    work.push(Work { key, events: vec![recorded] });
                }
            }
        }
        work
    }

    /// The views as they stand: from the cache, the rest in one load. A document that does not fit its view is an error in
    /// words.
    async fn bases(&mut self, work: &[Work<P>]) -> Result<Vec<Result<Held<P::View>, String>>, StoreFault> {
        let mut bases: Vec<_> = work.iter().map(|work| self.cache.take(&work.key).map(Ok)).collect();
        let missing = || (0..work.len()).filter(|&place| bases[place].is_none());
        let places: Vec<usize> = missing().collect();
        if !places.is_empty() {
            let keys: Vec<ViewKey> = places.iter().map(|&place| work[place].key.clone()).collect();
            let stored = self.store.load(&self.slot, &keys).await?;
            for (place, stored) in places.into_iter().zip(stored) {
                bases[place] = Some(held_of_stored(stored));
            }
        }
        let absent = || Err("the store did not answer for its key".to_owned());
        Ok(bases.into_iter().map(|base| base.unwrap_or_else(absent)).collect())
    }

    /// Folds keys again, one event at a time from what is stored, to find the event that fails: what comes before it is
    /// written, it and what follows are parked.
    async fn prepare_one_by_one(
        &mut self,
        doubtful: Vec<Work<P>>,
        refused: &mut Vec<Refused>,
    ) -> Result<(), StoreFault> {
        let keys: Vec<ViewKey> = doubtful.iter().map(|work| work.key.clone()).collect();
        let stored = self.store.load(&self.slot, &keys).await?;
        for (work, stored) in doubtful.into_iter().zip(stored) {
            let Work { key, events } = work;
            let mut base = held_of_stored::<P::View>(stored);
            let mut last = None;
            let mut events = events.into_iter();
            for event in events.by_ref() {
                let envelope = Arc::clone(&event.envelope);
                let single = Work::<P> { key: key.clone(), events: vec![event] };
                let folded = base
                    .clone()
                    .and_then(|base| guarded(|| project_all::<P>(&single, base, self.text)).flatten());
                match folded {
                    Ok(prepared) => {
                        base = Ok(prepared.held.clone());
                        last = Some(prepared);
                    }
                    Err(error) => {
                        refused.push(Refused::poison(key.clone(), &envelope, error));
                        break;
                    }
                }
            }
            refused.extend(events.map(|event| Refused::waiting(key.clone(), &event.envelope)));
            self.prepared.extend(last);
        }
        Ok(())
    }
}

/// An event and the key of the view that it changes.
type Keyed<P> = (ViewKey, Recorded<<P as Projection>::Events>);

/// The event and its view's key, or none when the projection has no use for it.
fn read<P: Projection>(event: &Arc<RecordedEvent>) -> Result<Option<Keyed<P>>, String> {
    let read = || {
        let recorded = decode_into_set::<P::Events>(event).map_err(|error| decode_error(&error))?;
        Ok(recorded.and_then(|recorded| P::key(&recorded).map(|key| (key, recorded))))
    };
    guarded(read).flatten()
}

fn project_all<P: Projection>(
    work: &Work<P>,
    base: Held<P::View>,
    text: Text<P::View>,
) -> Result<Prepared<P::View>, String> {
    let mut view = base.view.unwrap_or_default();
    let mut changed_at = base.changed_at;
    for event in &work.events {
        if view.removed() {
            view = P::View::default();
        }
        P::project(&mut view, event);
        changed_at = changed_at.max(event.position());
    }
    let key = work.key.clone();
    if view.removed() {
        return Ok(Prepared { key, held: Held { view: None, changed_at }, row: None });
    }
    let document =
        serde_json::to_vec(&view).map_err(|error| format!("the view cannot be written as JSON: {error}"))?;
    let row = row_of(key.clone(), Bytes::from(document), &view, changed_at, text);
    Ok(Prepared { key, held: Held { view: Some(view), changed_at }, row: Some(row) })
}

fn row_of<V: View>(
    key: ViewKey,
    document: Bytes,
    view: &V,
    changed_at: Position,
    text: Text<V>,
) -> SearchRow {
    SearchRow { key, document, fields: view.fields(), text: text(view), changed_at }
}

fn row_of_stored<V: View>(stored: StoredView, text: Text<V>) -> Result<SearchRow, StoreFault> {
    let view: V = serde_json::from_slice(&stored.document)
        .map_err(|error| StoreFault::new("reading a recomputed view").because(error))?;
    Ok(row_of(stored.key, stored.document, &view, stored.changed_at, text))
}

fn held_of_stored<V: View>(stored: Option<StoredView>) -> Result<Held<V>, String> {
    let Some(stored) = stored else { return Ok(Held { view: None, changed_at: Position::START }) };
    let view = serde_json::from_slice(&stored.document);
    let view = view.map_err(|error| {
        format!("the stored document does not fit its view ({error}); raise the projection's REVISION")
    })?;
    Ok(Held { view: Some(view), changed_at: stored.changed_at })
}

impl RowKey {
    fn view(&self) -> Option<ViewKey> {
        match self {
            Self::View(key) => Some(key.clone()),
            Self::Bucket(_) => None,
        }
    }
}
