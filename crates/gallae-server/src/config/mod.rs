//! Configuration: defaults, then `gallae.toml`, then the environment, then flags; every value knows where it came from.

mod layers;
mod settings;

pub use layers::{Layers, Origin, Setting};
pub use settings::{
    Auth, BehindThen, EngineSettings, Http, Limits, Log, LogFormat, Mode, PlatformSettings, Postgres,
    Profile, ProjectionSettings, SagaSettings,
};

use std::path::PathBuf;

/// Why a configuration is refused. Nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file named cannot be read.
    #[error("the configuration file {} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML: {reason}", path.display())]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A key that means nothing here.
    #[error("{origin} sets {key}, which is not a setting{}", hint.as_ref().map(|near| format!(": did you mean {near}?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// Who sets it.
        origin: String,
        /// The nearest key that exists.
        hint: Option<String>,
    },
    /// A value that does not fit its key.
    #[error("{key} is {value:?} (from {origin}): {reason}")]
    BadValue {
        /// The key.
        key: String,
        /// The value; masked if it is secret.
        value: String,
        /// Who sets it.
        origin: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// Production mode refuses what demo mode allows.
    #[error("production mode refuses to start: {reason}")]
    NotForProduction {
        /// What, and how to mend it.
        reason: String,
    },
}
