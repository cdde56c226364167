//! Cursors and generations, for rows of any kind.

use futures::FutureExt;
use gallae_core::{Field, Position};
use gallae_ports::{
    ApplyError, BoxFuture, Generation, ProjectionSpec, ProjectionStore, Slot, SlotState, StoreFault,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Projections whose generations hold rows `R`. Clones are handles to the same store.
///
/// Used by its names: [`MemoryViews`](crate::MemoryViews), [`MemorySearch`](crate::MemorySearch),
/// [`MemoryCounters`](crate::MemoryCounters).
#[derive(Debug)]
pub struct MemoryProjections<R> {
    projections: Arc<Mutex<Projections<R>>>,
}

impl<R> Clone for MemoryProjections<R> {
    fn clone(&self) -> Self {
        Self { projections: Arc::clone(&self.projections) }
    }
}

impl<R> Default for MemoryProjections<R> {
    fn default() -> Self {
        Self { projections: Arc::default() }
    }
}

impl<R> MemoryProjections<R> {
    /// A store that knows no projection yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Projections<R>> {
        self.projections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every projection, by name.
#[derive(Debug)]
pub(crate) struct Projections<R>(BTreeMap<String, Projection<R>>);

impl<R> Default for Projections<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[derive(Debug)]
struct Projection<R> {
    live: Rows<R>,
    shadow: Option<Rows<R>>,
    paused: bool,
    /// The newest generation that was ever made.
    newest: Generation,
}

/// One generation.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    generation: Generation,
    revision: u32,
    pub(crate) fields: &'static [Field],
    pub(crate) text: &'static [&'static str],
    cursor: Position,
    /// The newest epoch seen.
    epoch: u64,
    pub(crate) rows: R,
}

impl<R: Default> Rows<R> {
    fn empty(spec: &ProjectionSpec, generation: Generation) -> Self {
        Self {
            generation,
            revision: spec.revision,
            fields: spec.fields,
            text: spec.text,
            cursor: Position::START,
            epoch: 0,
            rows: R::default(),
        }
    }
}

impl<R: Default> Projection<R> {
    fn next_generation(&mut self) -> Generation {
        self.newest.0 += 1;
        self.newest
    }

    fn state(&self, name: &str) -> SlotState {
        let slot = Slot { projection: name.to_owned(), generation: self.live.generation };
        SlotState { slot, revision: self.live.revision, cursor: self.live.cursor, paused: self.paused }
    }
}

impl<R: Default> Projections<R> {
    /// The live rows that queries read.
    pub(crate) fn live(&self, projection: &str) -> Result<&Rows<R>, StoreFault> {
        self.0.get(projection).map(|projection| &projection.live).ok_or_else(|| {
            StoreFault::new(format!("reading the projection {projection}")).because("it was never opened")
        })
    }

    pub(crate) fn rows(&self, slot: &Slot) -> Result<&Rows<R>, StoreFault> {
        let generations = self
            .0
            .get(&slot.projection)
            .into_iter()
            .flat_map(|found| found.shadow.iter().chain([&found.live]));
        generations.into_iter().find(|rows| rows.generation == slot.generation).ok_or_else(|| {
            StoreFault::new(format!("reading generation {} of {}", slot.generation.0, slot.projection))
                .because("the generation is gone")
        })
    }

    /// The rows that a batch changes, moved to its cursor: whoever calls this must write the rows of the batch.
    pub(crate) fn advance(
        &mut self,
        slot: &Slot,
        (from, to): (Position, Position),
        epoch: u64,
    ) -> Result<&mut R, ApplyError> {
        let projection = self.0.get_mut(&slot.projection).ok_or(ApplyError::Gone)?;
        let mut generations = projection.shadow.iter_mut().chain([&mut projection.live]);
        let rows = generations.find(|rows| rows.generation == slot.generation).ok_or(ApplyError::Gone)?;
        if epoch < rows.epoch {
            return Err(ApplyError::StaleEpoch);
        }
        expect_cursor(from, rows.cursor)?;
        (rows.cursor, rows.epoch) = (to, epoch);
        Ok(&mut rows.rows)
    }

    /// The live rows, to be repaired in place.
    pub(crate) fn repair(&mut self, projection: &str, at: Position) -> Result<&mut R, ApplyError> {
        let live = &mut self.0.get_mut(projection).ok_or(ApplyError::Gone)?.live;
        expect_cursor(at, live.cursor)?;
        Ok(&mut live.rows)
    }

    fn open(&mut self, spec: &ProjectionSpec, replace: bool) -> SlotState {
        let projection = self.0.entry(spec.name.to_owned()).or_insert_with(|| Projection {
            live: Rows::empty(spec, Generation(1)),
            shadow: None,
            paused: false,
            newest: Generation(1),
        });
        if projection.live.revision != spec.revision && replace {
            let generation = projection.next_generation();
            projection.live = Rows::empty(spec, generation);
            projection.shadow = None;
        }
        projection.state(spec.name)
    }

    fn create_shadow(&mut self, spec: &ProjectionSpec) -> Result<Slot, StoreFault> {
        let Some(projection) = self.0.get_mut(spec.name) else {
            let fault = StoreFault::new(format!("creating a generation of {}", spec.name));
            return Err(fault.because("it was never opened"));
        };
        let generation = projection.next_generation();
        projection.shadow = Some(Rows::empty(spec, generation));
        Ok(Slot { projection: spec.name.to_owned(), generation })
    }

    fn switch(&mut self, slot: &Slot) -> Result<(), ApplyError> {
        let projection = self.0.get_mut(&slot.projection).ok_or(ApplyError::Gone)?;
        let shadow = projection.shadow.take_if(|shadow| {
            shadow.generation == slot.generation && shadow.cursor >= projection.live.cursor
        });
        if let Some(shadow) = shadow {
            projection.live = shadow;
            return Ok(());
        }
        match &projection.shadow {
            Some(shadow) if shadow.generation == slot.generation => {
                expect_cursor(shadow.cursor, projection.live.cursor)
            }
            _ => Err(ApplyError::Gone),
        }
    }
}

fn expect_cursor(expected: Position, actual: Position) -> Result<(), ApplyError> {
    if expected == actual { Ok(()) } else { Err(ApplyError::Cursor { expected, actual }) }
}

/// The answer of a call that has done its work.
pub(crate) fn ready<T: Send + 'static>(answer: T) -> BoxFuture<'static, T> {
    std::future::ready(answer).boxed()
}

impl<R> ProjectionStore for MemoryProjections<R>
where
    R: Default + fmt::Debug + Send + 'static,
{
    fn open(&self, spec: &ProjectionSpec, replace: bool) -> BoxFuture<'_, Result<SlotState, StoreFault>> {
        ready(Ok(self.lock().open(spec, replace)))
    }

    fn state(&self, projection: &str) -> BoxFuture<'_, Result<Option<SlotState>, StoreFault>> {
        ready(Ok(self.lock().0.get(projection).map(|found| found.state(projection))))
    }

    fn create_shadow(&self, spec: &ProjectionSpec) -> BoxFuture<'_, Result<Slot, StoreFault>> {
        ready(self.lock().create_shadow(spec))
    }

    fn cursor(&self, slot: &Slot) -> BoxFuture<'_, Result<Position, StoreFault>> {
        ready(self.lock().rows(slot).map(|rows| rows.cursor))
    }

    fn switch(&self, shadow: &Slot) -> BoxFuture<'_, Result<(), ApplyError>> {
        ready(self.lock().switch(shadow))
    }

    fn drop_shadow(&self, shadow: &Slot) -> BoxFuture<'_, Result<(), StoreFault>> {
        if let Some(projection) = self.lock().0.get_mut(&shadow.projection) {
            projection.shadow.take_if(|rows| rows.generation == shadow.generation);
        }
        ready(Ok(()))
    }

    fn set_paused(&self, projection: &str, paused: bool) -> BoxFuture<'_, Result<(), StoreFault>> {
        if let Some(projection) = self.lock().0.get_mut(projection) {
            projection.paused = paused;
        }
        ready(Ok(()))
    }
}
