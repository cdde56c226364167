//! The platform's settings.

use super::ConfigError;
use gallae_http::auth::Secret;
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Which engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Everything in this process and one folder.
    Embedded,
    /// Everything on PostgreSQL, for any number of nodes.
    Distributed,
}

/// How strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Generates what is missing and allows what is only for trying out; says so at start.
    Demo,
    /// Refuses default or missing secrets and everything that is only for trying out.
    Production,
}

/// Everything the platform can be told. Applications keep sections of their own beside it.
#[derive(Clone, Debug, Deserialize)]
pub struct PlatformSettings {
    /// Which engines.
    pub profile: Profile,
    /// How strict.
    pub mode: Mode,
    /// The name of this node, on every event it writes.
    pub node: String,
    /// Where engines keep their data, and how.
    pub data: EngineSettings,
    /// The database of the distributed profile.
    pub postgres: Postgres,
    /// The HTTP server.
    pub http: Http,
    /// Who may log in, and how long.
    pub auth: Auth,
    /// Rate limits.
    pub limits: Limits,
    /// Logs.
    pub log: Log,
    /// Projections.
    pub projection: ProjectionSettings,
    /// Sagas.
    pub saga: SagaSettings,
}

/// Where engines keep their data.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSettings {
    /// The folder of the embedded engines.
    pub dir: PathBuf,
}

/// The database of the distributed profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    /// The primary; needed in the distributed profile.
    pub write_url: Secret,
    /// Standbys; the primary if empty.
    pub read_url: Secret,
    /// The primary without a pooler between; `write_url` if empty.
    pub direct_url: Secret,
    /// The schema that holds the tables.
    pub schema: String,
    /// Connections to the primary at most.
    pub write_connections: usize,
    /// Connections for reading at most.
    pub read_connections: usize,
    /// Whether statements are prepared.
    pub prepare: bool,
    /// Milliseconds that a query waits for a standby that is behind.
    pub behind_wait_ms: u64,
    /// What a query does when the standby stays behind.
    pub behind_then: BehindThen,
}

/// What a query does when the standby stays behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BehindThen {
    /// Reads from the primary.
    AskPrimary,
    /// Answers 503 `VIEW_BEHIND` to those who named a position, and what the standby has to others.
    AnswerBehind,
}

/// The HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Origins that browsers may call from; `*` for all, in demo mode only.
    pub cors_origins: Vec<String>,
    /// Seconds that a drain may take.
    pub drain_seconds: u64,
    /// Seconds that a request may take.
    pub timeout_seconds: u64,
    /// Bytes that a body may have.
    pub body_limit: usize,
    /// Requests worked on at once; more are refused at once.
    pub in_flight_limit: usize,
}

/// Who may log in, and how long.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Signs access tokens; at least 32 bytes. Generated and kept in the data folder in demo mode if empty.
    pub jwt_secret: Secret,
    /// Who issues tokens.
    pub issuer: String,
    /// Seconds that an access token is valid.
    pub access_seconds: u64,
    /// Seconds that a refresh token is valid.
    pub refresh_seconds: u64,
}

/// Rate limits, per user or address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// `auto` (on in production), `on` or `off`.
    pub rate: RateSwitch,
    /// Requests a second.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

/// Whether rates are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateSwitch {
    /// On in production mode, off in demo mode.
    Auto,
    /// On.
    On,
    /// Off.
    Off,
}

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A level, or directives such as `info,gallae_runtime=debug`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Projections.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectionSettings {
    /// Milliseconds between two batches at least: what comes faster is folded together, what comes alone at once.
    pub pace_ms: u64,
}

/// Sagas.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SagaSettings {
    /// Instances worked on at once at most.
    pub concurrency: usize,
}

impl PlatformSettings {
    /// The built-in defaults: every key there is, with what it is for.
    pub const DEFAULTS: &'static str = include_str!("defaults.toml");
    /// Environment names that people already use.
    pub const ALIASES: &'static [(&'static str, &'static str)] = &[
        ("NODE_ID", "node"),
        ("JWT_SECRET", "auth.jwt_secret"),
        ("LOG_LEVEL", "log.filter"),
        ("DATABASE_URL", "postgres.write_url"),
        ("DATABASE_READ_URL", "postgres.read_url"),
    ];
    /// Keys whose values are masked.
    pub const SECRETS: &'static [&'static str] =
        &["auth.jwt_secret", "postgres.write_url", "postgres.read_url", "postgres.direct_url"];

    /// Checks what single values cannot show.
    ///
    /// # Errors
    /// The first thing that is wrong, and how to mend it.
    pub fn check(&self) -> Result<(), ConfigError> {
        let bad = |key: &str, value: String, reason: &str| {
            let origin = "the configuration".to_owned();
            Err(ConfigError::BadValue { key: key.to_owned(), value, origin, reason: reason.to_owned() })
        };
        if self.node.is_empty()
            || self.node.len() > 64
            || !self.node.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return bad("node", self.node.clone(), "1 to 64 printable ASCII characters without spaces");
        }
        if self.limits.per_second == 0 || self.limits.burst == 0 {
            return bad(
                "limits.per_second",
                self.limits.per_second.to_string(),
                "at least 1; switch limits off with limits.rate = \"off\"",
            );
        }
        let secret = self.auth.jwt_secret.reveal();
        if !secret.is_empty() && secret.len() < 32 {
            return bad(
                "auth.jwt_secret",
                "***".to_owned(),
                "at least 32 bytes, for example from: openssl rand -hex 32",
            );
        }
        if self.profile == Profile::Distributed {
            if self.postgres.write_url.reveal().is_empty() {
                return bad(
                    "postgres.write_url",
                    String::new(),
                    "the distributed profile needs a database, such as postgres://user:password@host:5432/shop",
                );
            }
            if secret.is_empty() {
                return bad(
                    "auth.jwt_secret",
                    String::new(),
                    "the nodes of the distributed profile must agree on one: set JWT_SECRET on all to the same 32 random bytes",
                );
            }
        }
        if self.mode == Mode::Production {
            self.check_production()?;
        }
        Ok(())
    }

    fn check_production(&self) -> Result<(), ConfigError> {
        let refuse = |reason: &str| Err(ConfigError::NotForProduction { reason: reason.to_owned() });
        let secret = self.auth.jwt_secret.reveal();
        if secret.is_empty() {
            return refuse(
                "auth.jwt_secret is not set: set JWT_SECRET to at least 32 random bytes, for example from: openssl rand -hex 32",
            );
        }
        if secret.contains("secret") || secret.contains("change") {
            return refuse(
                "auth.jwt_secret looks like an example: use random bytes, for example from: openssl rand -hex 32",
            );
        }
        if self.http.cors_origins.iter().any(|origin| origin == "*") {
            return refuse("http.cors_origins allows every origin: name the origins of your front end");
        }
        Ok(())
    }

    /// Whether rates are limited.
    pub fn limits_rate(&self) -> bool {
        match self.limits.rate {
            RateSwitch::Auto => self.mode == Mode::Production,
            RateSwitch::On => true,
            RateSwitch::Off => false,
        }
    }

    /// How long a drain may take.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.http.drain_seconds)
    }
}
