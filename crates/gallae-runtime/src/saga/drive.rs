//! Running one instance: it is moved on, its calls are waited for, until only a timer or a person can move it.

use super::{
    engine::Core,
    instance::{Instance, LoadError},
    operator::{Intervention, InterventionError, permit},
    ownership::Tenure,
    queue::{Entry, Letter, Mailbox, Signal},
    row,
    transition::Incoming,
    writer::{Halt, Right, Writer},
};
use crate::supervisor::error_chain;
use futures::StreamExt;
use gallae_core::{Actor, SagaId};
use std::sync::Arc;

/// Takes up an instance and runs it until it rests, or its partition is given up: then whatever is under way is dropped.
pub(super) async fn drive(core: Arc<Core>, tenure: Arc<Tenure>, entry: Entry) {
    let Entry { id, seed, mailbox } = entry;
    // Lets the instance go however this ends, a panic included.
    let _seat = Seat { core: &core, id, mailbox: &mailbox };
    let run = async {
        let instance = match seed {
            Some(instance) => *instance,
            None => Instance::load(&*core.store, &core.registry, id).await?,
        };
        Driver { writer: Writer::new(&core, Right::Owner(&tenure), instance), mailbox: &mailbox }.run().await
    };
    let result = tokio::select! {
        biased;
        () = tenure.ended.cancelled() => Err(Halt::Fenced),
        result = run => result,
    };
    match result {
        // Whoever waits finds its letter dropped, and asks again.
        Ok(()) | Err(Halt::Fenced) => {}
        Err(Halt::Load(LoadError::Absent)) => turn_away(&mailbox, &InterventionError::NotFound(id)),
        Err(Halt::Load(LoadError::Read(error))) => {
            tracing::warn!(saga = %id, error = error_chain(&error), "a saga could not be read; it is taken up again later");
        }
        Err(halt) => {
            let reason = error_chain(&halt);
            turn_away(&mailbox, &InterventionError::Unrunnable(reason.clone()));
            core.leave_alone(id, reason, &tenure).await;
        }
    }
}

struct Seat<'a> {
    core: &'a Core,
    id: SagaId,
    mailbox: &'a Arc<Mailbox>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.core.queue.forget(self.id, self.mailbox);
    }
}

struct Driver<'a> {
    writer: Writer<'a>,
    mailbox: &'a Mailbox,
}

impl Driver<'_> {
    async fn run(mut self) -> Result<(), Halt> {
        let mut letter = self.mailbox.take().unwrap_or(Letter::Woken);
        loop {
            match letter {
                Letter::Woken => {
                    let system = Actor::System(self.writer.core.actor());
                    self.writer.transition(Incoming::Woken, system).await?;
                }
                Letter::Signal(signal) => self.obey(signal).await?,
            }
            letter = loop {
                if let Some(letter) = self.mailbox.take() {
                    break letter;
                }
                if self.writer.calls.is_empty() {
                    if self.writer.core.queue.leave(self.writer.instance.id) {
                        return Ok(());
                    }
                    continue;
                }
                let answer = tokio::select! {
                    biased;
                    answer = self.writer.calls.next() => answer,
                    () = self.mailbox.rang() => None,
                };
                if let Some(incoming) = answer {
                    self.writer.landed(&incoming);
                    self.writer.transition(incoming, Actor::System(self.writer.core.actor())).await?;
                }
            };
        }
    }

    async fn obey(&mut self, signal: Signal) -> Result<(), Halt> {
        let Signal { incoming, actor, reply } = signal;
        let outcome = match permit(&self.writer.instance, &incoming) {
            Err(refused) => Err(refused),
            Ok(()) => {
                let position = self.writer.transition(incoming, actor).await?;
                Ok(Intervention { status: row::shown_status(&self.writer.instance.state), position })
            }
        };
        // Whoever asked may have gone.
        let _ = reply.send(outcome);
        Ok(())
    }
}

/// Tells everybody who waits that the instance cannot be taken up.
fn turn_away(mailbox: &Mailbox, error: &InterventionError) {
    while let Some(letter) = mailbox.take() {
        if let Letter::Signal(signal) = letter {
            let _ = signal.reply.send(Err(error.clone()));
        }
    }
}
