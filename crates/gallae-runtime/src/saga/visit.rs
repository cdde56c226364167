//! An intervention in an instance that another node runs, or none.
//!
//! It is written here and now, so that nobody is turned away because of who holds a lease: at the version that was read, under the
//! fence of whoever holds the partition. The owner's next transition then meets a conflict, reads the stream and goes on from there;
//! the log tells it at once, and its sweep if nothing else does. Calls are left to the owner.

use super::{
    engine::Core,
    instance::{Instance, LoadError},
    operator::{Intervention, InterventionError, permit},
    roster::partition_lease,
    row,
    transition::Incoming,
    writer::{Halt, Right, Writer},
};
use crate::supervisor::error_chain;
use gallae_core::{Actor, SagaId};
use gallae_ports::{Fence, ReadError, StoreFault};
use std::sync::Arc;

/// How often the partition may change hands while it is being written.
const HANDS: usize = 5;

pub(super) async fn visit(
    core: &Arc<Core>,
    saga: SagaId,
    incoming: Incoming,
    actor: Actor,
) -> Result<Intervention, InterventionError> {
    for _ in 0..HANDS {
        let right = right(core, saga).await.map_err(|_| InterventionError::Unavailable)?;
        let instance = match Instance::load(&*core.store, &core.registry, saga).await {
            Ok(instance) => instance,
            Err(LoadError::Absent) => return Err(InterventionError::NotFound(saga)),
            Err(LoadError::Read(ReadError::Unavailable(_))) => return Err(InterventionError::Unavailable),
            Err(error) => return Err(InterventionError::Unrunnable(error_chain(&error))),
        };
        permit(&instance, &incoming)?;
        let mut writer = Writer::new(core, right, instance);
        match writer.transition(incoming.clone(), actor.clone()).await {
            Ok(position) => {
                core.queue.wake(saga, None);
                return Ok(Intervention { status: row::shown_status(&writer.instance.state), position });
            }
            Err(Halt::Fenced) => {}
            Err(Halt::Unavailable(_)) => return Err(InterventionError::Unavailable),
            Err(Halt::Load(LoadError::Read(_))) => return Err(InterventionError::Unknown),
            Err(halt) => return Err(InterventionError::Unrunnable(error_chain(&halt))),
        }
    }
    Err(InterventionError::Unavailable)
}

async fn right(core: &Core, saga: SagaId) -> Result<Right<'static>, StoreFault> {
    let name = partition_lease(row::partition(saga));
    let lease = core.leases.leases().await?.into_iter().find(|lease| lease.name == name);
    Ok(match lease {
        // Released ones have no holder to be fenced off by, and keep their epoch.
        Some(lease) => Right::Visitor {
            epoch: lease.epoch,
            fence: (!lease.owner.is_empty()).then_some(Fence { lease: name, epoch: lease.epoch }),
        },
        None => Right::Visitor { epoch: 0, fence: None },
    })
}
