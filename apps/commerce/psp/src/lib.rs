//! A payment provider to develop against: its own append-only ledger, idempotency keys, faults on demand.
//!
//! It stands for somebody else's system. So it shares nothing with the shop: not its store, not its transactions, not its
//! clock. What the shop believes about money can be checked against [`Provider::ledger_totals`] and
//! [`Provider::entries`].
//!
//! # Promises
//! - An idempotency key executes once. The same request under the same key gets the recorded answer, concurrently and
//!   after a restart; another request under it is [`ProviderError::KeyReused`]. After
//!   [`ProviderOptions::key_retention`] a key is forgotten, as real providers do: query before sending again.
//! - Every operation is a line in the ledger before it is answered. Without the line, nothing was executed.
//! - Captured is at most what was authorised, refunded at most what was captured.
//! - Voiding an authorisation that was never seen succeeds and closes its key for ever: an authorisation that arrives
//!   late is declined (by the line of the void, without one of its own).
//!
//! # Durability
//! Each line is handed to the kernel by `write(2)` and never fsynced. What was answered therefore survives the death of
//! this process, SIGKILL included, but not the loss of the machine's power. That is on purpose: the provider plays a
//! system that is durable by itself, and must not take disk flushes away from the shop on the same disk. The write goes
//! to the page cache, a few microseconds, and so it is done on the calling thread.
//!
//! # Faults on demand
//! A product id in the request's [`Metadata`] beginning with one of these words, unless
//! [`ProviderOptions::honour_triggers`] is off:
//!
//! | product id | on | what happens |
//! |---|---|---|
//! | `PAYMENT_FAIL…` | authorize | declined with `PAYMENT_DECLINED` |
//! | `PAYMENT_TIMEOUT…` | authorize | waits [`ProviderOptions::late_answer_after`], beyond the caller's patience, and only then executes and answers: until then the key is not found, and a caller that hangs up or voids is never charged |
//! | `PAYMENT_UNKNOWN…` | any operation | executes and drops the reply: [`Answer::NoReply`]; [`Provider::query`], or the same request again, finds it |
//! | `PAYMENT_FLAKY…` | any operation | [`Answer::Unavailable`] twice for each key, then works |
//!
//! Where several apply, the first in this table does. An authorisation whose metadata names an invoice ends as
//! [`commerce_import::payment::outcome`] says of it.

mod accounts;
mod answer;
mod ledger;
mod money;
mod provider;
mod request;
mod trigger;

pub use accounts::Totals;
pub use answer::{Answer, Decline, DeclineCode, Operation, Outcome, Receipt};
pub use ledger::{Entries, Entry, LedgerError, TornLine};
pub use money::{Currency, InvalidCurrency, MAX_AMOUNT, Money};
pub use provider::{Provider, ProviderError, ProviderOptions};
pub use request::{Authorize, Capture, Fingerprint, InvalidKey, Key, Metadata, PaymentRef, Refund, Void};
