//! A transfer: requested once, then carried out by a saga, or undone.

use crate::account::{Account, Deposit, Withdraw};
use gallae::{core::saga::SagaStatus, prelude::*};

/// What can happen to a transfer.
#[derive(Clone, Debug, PartialEq, Event)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum TransferEvent {
    /// Somebody wants money moved.
    #[event(name = "TransferRequested", version = 1)]
    Requested { from: Id<Account>, to: Id<Account>, amount: i64 },
    /// It arrived.
    #[event(name = "TransferCompleted", version = 1)]
    Completed,
    /// It did not, and is back where it came from.
    #[event(name = "TransferFailed", version = 1)]
    Failed { reason: String },
}

/// How a transfer says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transfer was requested before")]
pub struct TransferRejection;

impl Rejection for TransferRejection {
    fn code(&self) -> &'static str {
        "TRANSFER_EXISTS"
    }
}

/// One transfer as it stands: its last event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    requested: bool,
    /// `None` until it has ended; then why it failed, if it did.
    pub ended: Option<Result<(), String>>,
}

impl Aggregate for Transfer {
    const TYPE: &'static str = "transfer";
    type Event = TransferEvent;
    type Rejection = TransferRejection;

    fn evolve(&mut self, event: &TransferEvent) {
        match event {
            TransferEvent::Requested { .. } => self.requested = true,
            TransferEvent::Completed => self.ended = Some(Ok(())),
            TransferEvent::Failed { reason } => self.ended = Some(Err(reason.clone())),
        }
    }
}

/// Asks for money to be moved.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct RequestTransfer {
    pub id: Id<Transfer>,
    pub from: Id<Account>,
    pub to: Id<Account>,
    pub amount: i64,
}

impl Command for RequestTransfer {
    const NAME: &'static str = "transfer.request";
    type Aggregate = Transfer;
    fn target(&self) -> Id<Transfer> {
        self.id
    }
}

impl Decide<RequestTransfer> for Transfer {
    fn decide(
        &self,
        &RequestTransfer { from, to, amount, .. }: &RequestTransfer,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<TransferEvent>, TransferRejection> {
        match self.requested {
            true => Err(TransferRejection),
            false => Ok(vec![TransferEvent::Requested { from, to, amount }]),
        }
    }
}

/// How it ended, told by the saga.
#[derive(Clone, Debug)]
struct EndTransfer(Id<Transfer>, TransferEvent);

impl Command for EndTransfer {
    const NAME: &'static str = "transfer.end";
    type Aggregate = Transfer;
    fn target(&self) -> Id<Transfer> {
        self.0
    }
}

impl Decide<EndTransfer> for Transfer {
    fn decide(
        &self,
        end: &EndTransfer,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<TransferEvent>, TransferRejection> {
        Ok(if self.ended.is_some() { vec![] } else { vec![end.1.clone()] })
    }
}

/// Withdraw, then deposit; if the deposit is refused, the money goes back.
#[derive(Debug)]
pub struct MoveMoney;

const WITHDRAW: Step<()> = Step::new("withdraw");
const DEPOSIT: Step<()> = Step::new("deposit");

impl Saga for MoveMoney {
    const NAME: &'static str = "move-money";
    const VERSION: u32 = 1;
    type Trigger = TransferEvent;
    type Input = (Id<Transfer>, Id<Account>, Id<Account>, i64);

    fn start(event: &TransferEvent, stream: &StreamId) -> Option<Start<Self::Input>> {
        let TransferEvent::Requested { from, to, amount } = event else { return None };
        let transfer: Id<Transfer> = stream.id()?;
        Some(Start { business_key: transfer.to_string(), input: (transfer, *from, *to, *amount) })
    }

    fn graph() -> SagaGraph<Self> {
        let withdraw = local(|cx: &SagaContext<'_, Self>| {
            let (_, from, _, amount) = *cx.input;
            vec![SagaCommand::new(Withdraw(from, amount))]
        });
        let give_back = local(|cx: &SagaContext<'_, Self>| {
            let (_, from, _, amount) = *cx.input;
            vec![SagaCommand::new(Deposit(from, amount))]
        });
        let deposit = local(|cx: &SagaContext<'_, Self>| {
            let (_, _, to, amount) = *cx.input;
            vec![SagaCommand::new(Deposit(to, amount))]
        });
        SagaGraph::new().then(compensable(WITHDRAW, withdraw).undo(give_back)).then(pivot(DEPOSIT, deposit))
    }

    fn ended(cx: &SagaContext<'_, Self>, end: &SagaEnd) -> Vec<SagaCommand> {
        let told = match end.status {
            SagaStatus::Completed => TransferEvent::Completed,
            _ => TransferEvent::Failed { reason: end.reason.clone().unwrap_or_default() },
        };
        vec![SagaCommand::new(EndTransfer(cx.input.0, told))]
    }
}
