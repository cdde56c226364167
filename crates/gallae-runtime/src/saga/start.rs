//! Starting instances, in the transaction of the event that causes them.

use super::{
    instance::{Instance, without_input},
    queue::Queue,
    registry::{Definition, SagaRegistry},
    row,
    script::{Begin, Broken},
};
use crate::dispatcher::{SagaStart, StartError, StartSagas};
use gallae_core::{
    Aggregate, EncodedEvent, Event, EventId, Metadata, SagaId, StreamId, Timestamp, Version,
    saga::{SagaEvent, SagaState},
};
use gallae_ports::{Entropy, Expected, NewEvent, SagaWrite, StreamAppend};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Starts whose commit is not yet known. What is dropped is only a saved read: the sweep finds what is durable.
const PENDING: usize = 4_096;

/// Turns events about to be appended into new instances. The dispatcher asks it of every event.
///
/// A start writes the instance's first event and its row, and no timer: a running row that nobody moves is found by the
/// engine's sweep, so that the common case costs neither the insertion nor the removal of a timer.
#[derive(Clone)]
pub(crate) struct SagaTriggers {
    pub(super) registry: Arc<SagaRegistry>,
    pub(super) queue: Arc<Queue>,
    pending: Arc<Mutex<HashMap<SagaId, Instance>>>,
}

impl SagaTriggers {
    /// Triggers for the newest version of each definition. `queued` bounds the instances waiting to be taken up.
    pub(crate) fn new(registry: SagaRegistry, queued: usize) -> Self {
        let queue = Arc::new(Queue::new(queued));
        Self { registry: Arc::new(registry), queue, pending: Arc::default() }
    }

    fn start(
        &self,
        definition: &Arc<Definition>,
        begin: Begin,
        now: Timestamp,
        metadata: &Arc<Metadata>,
        entropy: &dyn Entropy,
    ) -> Result<SagaStart, Broken> {
        let id = SagaId::of(definition.name, &begin.business_key);
        let event = SagaEvent::Started {
            definition: definition.name.to_owned(),
            definition_version: definition.version,
            definition_hash: definition.hash.clone(),
            business_key: begin.business_key,
            input: begin.input,
            deadline: definition.time_to_pivot.map(|allowed| now.after(allowed)),
        };
        let mut payload = Vec::with_capacity(512);
        event.encode(&mut payload).map_err(|error| Broken(error.to_string()))?;
        let mut state = SagaState::default();
        state.evolve(&event);
        let event_id = entropy.uuid();
        let instance = Instance {
            id,
            definition: Arc::clone(definition),
            input: begin.typed,
            state: without_input(state),
            ledger: Vec::new(),
            version: Version::new(1),
            last_event: event_id,
            metadata: Arc::clone(metadata),
            user: metadata.actor.user(),
            started_at: now,
        };
        let row = row::row(&instance, &instance.state, instance.version, 0, now);
        self.keep(instance);
        let events = vec![NewEvent::new(EventId::new(event_id), event.event_type(), payload.into())];
        Ok(SagaStart {
            saga: id,
            append: StreamAppend { stream: id.stream(), expected: Expected::NoStream, events },
            row: SagaWrite::Insert(row),
            timers: Vec::new(),
        })
    }

    fn keep(&self, instance: Instance) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() >= PENDING {
            pending.clear();
        }
        pending.insert(instance.id, instance);
    }
}

impl StartSagas for SagaTriggers {
    fn starting(
        &self,
        stream: &StreamId,
        event: &EncodedEvent,
        now: Timestamp,
        metadata: &Arc<Metadata>,
        entropy: &dyn Entropy,
    ) -> Result<Vec<SagaStart>, StartError> {
        let mut starts = Vec::new();
        for definition in self.registry.started_by(event.event_type.name) {
            let broken = |Broken(reason)| StartError { saga: definition.name, reason };
            if let Some(begin) = definition.script.start(event, stream).map_err(broken)? {
                starts.push(self.start(definition, begin, now, metadata, entropy).map_err(broken)?);
            }
        }
        Ok(starts)
    }

    fn started(&self, saga: SagaId) {
        let seed = self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&saga);
        self.queue.wake(saga, seed.map(Box::new));
    }
}

impl fmt::Debug for SagaTriggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SagaTriggers").field(&self.registry).finish()
    }
}
