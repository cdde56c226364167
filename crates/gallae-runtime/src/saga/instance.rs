//! One instance in memory: the fold of its stream.

use super::{
    ledger,
    registry::{Definition, SagaRegistry},
    script::{Broken, Input},
};
use gallae_core::{
    Aggregate, DecodeError, Metadata, RecordedEvent, SagaId, Timestamp, Version, decode,
    saga::{SagaEvent, SagaState},
};
use gallae_ports::{EffectRow, EventStore, ReadError};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

const READ_PAGE: usize = 500;

/// An instance as its events left it.
#[derive(Clone)]
pub(super) struct Instance {
    pub(super) id: SagaId,
    pub(super) definition: Arc<Definition>,
    pub(super) input: Input,
    /// Without the input, which is held decoded: transitions copy the state.
    pub(super) state: SagaState,
    pub(super) ledger: Vec<EffectRow>,
    pub(super) version: Version,
    pub(super) last_event: Uuid,
    /// Of the start: correlation, trace.
    pub(super) metadata: Arc<Metadata>,
    pub(super) user: Option<Uuid>,
    pub(super) started_at: Timestamp,
}

/// Why an instance cannot be taken up here.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("there is no such saga")]
    Absent,
    #[error("its stream cannot be read")]
    Read(#[from] ReadError),
    #[error("an event of its stream cannot be understood")]
    Decode(#[from] DecodeError),
    #[error("no release here runs {definition} v{version} with the shape {hash}")]
    Unknown { definition: String, version: u32, hash: String },
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// A saga's stream, decoded. Shared by the engine and by queries.
pub(super) async fn read_stream(
    store: &dyn EventStore,
    id: SagaId,
) -> Result<Vec<(Arc<RecordedEvent>, SagaEvent)>, LoadError> {
    let stream = id.stream();
    let (mut events, mut after) = (Vec::new(), Version::NONE);
    loop {
        let page = store.read_stream(&stream, after, READ_PAGE).await?;
        let last = page.len() < READ_PAGE;
        for recorded in page {
            after = recorded.version;
            let event = decode(&recorded.event_type, recorded.schema_version, &recorded.payload)?;
            events.push((recorded, event));
        }
        if last {
            return Ok(events);
        }
    }
}

impl Instance {
    /// Folds an instance from its stream.
    pub(super) async fn load(
        store: &dyn EventStore,
        registry: &SagaRegistry,
        id: SagaId,
    ) -> Result<Self, LoadError> {
        let events = read_stream(store, id).await?;
        let (Some((first, _)), Some((last, _))) = (events.first(), events.last()) else {
            return Err(LoadError::Absent);
        };
        let (mut state, mut effects) = (SagaState::default(), Vec::new());
        for (recorded, event) in &events {
            state.evolve(event);
            let known: Vec<_> = effects.iter().collect();
            let moved = ledger::effect_after(&known, id, event, recorded.time);
            ledger::merge(&mut effects, moved.into_iter().collect());
        }
        let known = registry.runs(&state.definition, state.definition_version, &state.definition_hash);
        let Some(definition) = known else {
            return Err(LoadError::Unknown {
                definition: state.definition,
                version: state.definition_version,
                hash: state.definition_hash,
            });
        };
        let metadata = Arc::clone(first.metadata.get()?);
        Ok(Self {
            id,
            definition: Arc::clone(definition),
            input: definition.script.input(&state.input)?,
            state: without_input(state),
            ledger: effects,
            version: last.version,
            last_event: last.id.uuid(),
            user: metadata.actor.user(),
            metadata,
            started_at: first.time,
        })
    }
}

/// The input is held decoded beside the state.
pub(super) fn without_input(mut state: SagaState) -> SagaState {
    state.input = Value::Null;
    state
}
