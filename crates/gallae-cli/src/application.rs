//! What the verbs need to know of an application.

use crate::Failure;
use axum::Router;
use gallae_ports::BoxFuture;
use gallae_runtime::Roles;
use gallae_server::config::{ConfigError, Layers};
use std::fmt;

/// An application, as the verbs of the platform see it.
pub trait Application: Send + Sync {
    /// Every setting there is, with its default.
    ///
    /// # Errors
    /// When the built-in defaults are broken.
    fn settings(&self) -> Result<Layers, ConfigError>;

    /// Judges settings as a start would.
    ///
    /// # Errors
    /// The first thing that is wrong, and how to mend it.
    fn check(&self, settings: &Layers) -> Result<(), Failure>;

    /// Opens the application in this process, without a listener, doing in the background what `roles` say.
    ///
    /// # Errors
    /// [`Exit::Unavailable`](crate::Exit::Unavailable) when the data directory cannot be opened or is in use.
    fn open(&self, settings: Layers, roles: Roles) -> BoxFuture<'_, Result<Opened, Failure>>;

    /// Files of the data directory that a backup copies beside the log, by name. A missing one is left out.
    fn files(&self) -> &'static [&'static str] {
        &[]
    }
}

/// An application opened in this process.
pub struct Opened {
    /// Its routes, the admin API among them.
    pub router: Router,
    /// An operator's token for them.
    pub token: String,
    /// Finishes what is under way and lets the data directory go.
    pub close: BoxFuture<'static, ()>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}
