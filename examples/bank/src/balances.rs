//! What a customer sees: one row per account.

use crate::account::{Account, AccountEvent};
use gallae::prelude::*;

/// Folds the accounts' events into balances.
#[derive(Debug)]
pub struct Balances;

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub struct Balance {
    pub owner: String,
    pub balance: i64,
}

impl View for Balance {
    const FIELDS: &'static [Field] = &[Field::text("owner"), Field::integer("balance")];
    fn fields(&self) -> Vec<FieldValue> {
        vec![self.owner.as_str().into(), self.balance.into()]
    }
}

impl Projection for Balances {
    const NAME: &'static str = "balances";
    const REVISION: u32 = 1;
    type Events = AccountEvent;
    type View = Balance;

    fn key(event: &Recorded<AccountEvent>) -> Option<ViewKey> {
        Some(event.id::<Account>()?.to_string().into())
    }

    fn project(view: &mut Balance, event: &Recorded<AccountEvent>) {
        match &event.event {
            AccountEvent::Opened { owner } => view.owner.clone_from(owner),
            AccountEvent::Deposited { amount } => view.balance += amount,
            AccountEvent::Withdrawn { amount } => view.balance -= amount,
        }
    }
}
