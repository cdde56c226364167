//! One suite per port; every adapter passes the same suite, unchanged.
//!
//! An adapter says how to make a fresh store and names the suites of the ports it serves:
//!
//! ```text
//! struct Sqlite;
//!
//! impl gallae_conformance::Harness for Sqlite {
//!     type Store = SqliteStore;
//!     async fn fresh(&self) -> SqliteStore { … }
//! }
//!
//! gallae_conformance::event_store_suite!(Sqlite);
//! gallae_conformance::saga_store_suite!(Sqlite);
//! ```
//!
//! The expression is evaluated anew for each case. Each suite becomes a module with one `#[tokio::test]` per case. Cases that need more of the harness than fresh stores are
//! suites of their own, so an adapter that cannot run them lacks them visibly instead of passing them in silence:
//!
//! | suite | needs |
//! |---|---|
//! | [`event_store_suite!`], [`saga_store_suite!`], [`snapshot_store_suite!`], [`lease_store_suite!`], [`dead_letter_store_suite!`], [`credential_store_suite!`], [`cursor_store_suite!`] | [`Harness`] |
//! | [`view_store_suite!`], [`search_store_suite!`], [`counter_store_suite!`] | [`Harness`] |
//! | [`broker_suite!`], [`bounded_broker_suite!`], [`lock_service_suite!`] | [`Harness`] |
//! | [`event_store_fault_suite!`] | [`FaultyHarness`] |
//! | [`event_store_durability_suite!`], [`view_store_durability_suite!`] | [`DurableHarness`] |

#![allow(clippy::missing_panics_doc, reason = "a case fails by panicking")]

pub mod broker;
pub mod counter_store;
pub mod credential_store;
pub mod cursor_store;
pub mod dead_letter_store;
pub mod event_store;
pub mod event_store_durability;
pub mod event_store_faults;
pub mod generations;
pub mod lease_store;
pub mod lock_service;
pub mod saga_store;
mod sample;
pub mod search_store;
pub mod snapshot_store;
pub mod view_store;
pub mod view_store_durability;

/// For brokers that drop messages: the case of its own beside [`broker`].
pub mod bounded_broker {
    pub use crate::broker::a_slow_subscriber_is_told_and_holds_up_nobody;
}

use std::{future::Future, time::Duration};

/// How a suite gets at the adapter under test.
pub trait Harness: Sync {
    /// What the adapter offers.
    type Store: Send + Sync + 'static;

    /// A new, empty store that shares nothing with any other.
    fn fresh(&self) -> impl Future<Output = Self::Store> + Send;

    /// Lets time pass for stores that judge leases and locks by their own clock. Sleeps, unless the adapter can do better.
    fn pass(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// An adapter whose stores can be closed and opened again.
pub trait DurableHarness: Harness {
    /// Closes a store and opens it again from what it made durable.
    fn reopen(&self, store: Self::Store) -> impl Future<Output = Self::Store> + Send;
}

/// An adapter whose appends can be made to fail.
pub trait FaultyHarness: Harness {
    /// Makes the store's next append end like this.
    fn fail_next(&self, store: &Self::Store, fault: AppendFault);
}

/// How an append can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFault {
    /// Nothing is written and the caller knows.
    Unavailable,
    /// It is written and the caller does not know.
    IndeterminateWritten,
    /// Nothing is written and the caller does not know.
    IndeterminateLost,
}

#[doc(hidden)]
#[macro_export]
macro_rules! __suite {
    ($suite:ident, $harness:expr, [$($case:ident),* $(,)?]) => {
        mod $suite {
            #[allow(unused_imports, reason = "the harness may be named by its whole path")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::$suite::$case(&$harness).await;
                }
            )*
        }
    };
}
