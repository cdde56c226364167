//! Accounts, transfers as a saga, balances as a view: the platform knows nothing of money.

mod account;
mod balances;
mod transfer;

pub use account::{Account, AccountEvent, AccountRejection, Deposit, OpenAccount, Withdraw};
pub use balances::{Balance, Balances};
pub use transfer::{MoveMoney, RequestTransfer, Transfer, TransferEvent, TransferRejection};
