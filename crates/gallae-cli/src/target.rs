//! Which application a verb is about, and the way to it.

use crate::{Application, Client, Exit, Failure};
use gallae_ports::BoxFuture;
use gallae_runtime::Roles;
use gallae_server::{
    config::{Layers, Mode, PlatformSettings, Profile},
    secrets::AdminApi,
};
use serde::Deserialize;
use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The configuration file that is read when none is named, if it is there.
const CONFIG_FILE: &str = "gallae.toml";
/// How long a server that left word may take to answer before it counts as gone.
const ANSWER: Duration = Duration::from_secs(2);

/// Which application; the same flags for every verb.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Target {
    /// The folder of the embedded engines [default: .gallae]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Which application")]
    pub data_dir: Option<PathBuf>,
    /// The configuration file [default: gallae.toml, if it is there]
    #[arg(long, value_name = "FILE", global = true, env = "GALLAE_CONFIG", help_heading = "Which application")]
    pub config: Option<PathBuf>,
    /// A server elsewhere, such as http://10.0.0.5:3000; needs --token
    #[arg(long, value_name = "URL", global = true, help_heading = "Which application")]
    pub url: Option<String>,
    /// An operator's access token [default: the one that the server left in its data directory]
    #[arg(
        long,
        value_name = "TOKEN",
        global = true,
        env = "GALLAE_TOKEN",
        hide_env_values = true,
        help_heading = "Which application"
    )]
    pub token: Option<String>,
}

/// A client, and what has to be closed after it.
pub struct Connection {
    /// Speaks to the application.
    pub client: Client,
    close: Option<BoxFuture<'static, ()>>,
}

impl Target {
    /// The settings in force here: defaults, file, environment, flags.
    ///
    /// # Errors
    /// [`Exit::Configuration`] when a layer cannot be read or sets what does not exist.
    pub fn settings(&self, application: &dyn Application) -> Result<Layers, Failure> {
        let mut layers = application.settings()?;
        match &self.config {
            Some(path) => layers = layers.file(path)?,
            None if Path::new(CONFIG_FILE).exists() => layers = layers.file(Path::new(CONFIG_FILE))?,
            None => {}
        }
        layers = layers.environment(std::env::vars())?;
        if let Some(directory) = &self.data_dir {
            layers = layers.flag("--data-dir", "data.dir", &directory.display().to_string())?;
        }
        Ok(layers)
    }
}

/// What a verb needs of the settings to find its way; the rest may be wrong.
#[derive(Deserialize)]
struct Directory {
    data: DataDir,
    #[expect(dead_code, reason = "read so that a misspelt word is told before anything is tried")]
    profile: Profile,
    #[expect(dead_code, reason = "read so that a misspelt word is told before anything is tried")]
    mode: Mode,
}

#[derive(Deserialize)]
struct DataDir {
    dir: PathBuf,
}

/// The data directory that settings name.
///
/// # Errors
/// [`Exit::Configuration`] when they do not fit.
pub(crate) fn directory(settings: &Layers) -> Result<PathBuf, Failure> {
    Ok(settings.read::<Directory>()?.data.dir)
}

/// Finds the way to the application: the server named by `--url`; else the one that runs on the data directory; else the
/// application is opened in this process, with `roles` in the background.
///
/// # Errors
/// [`Exit::Unavailable`] when there is no way.
pub async fn connect(application: &dyn Application, target: &Target, roles: Roles) -> Result<Connection, Failure> {
    if let Some(url) = &target.url {
        let token = target.token.as_deref().ok_or_else(|| {
            Failure::new(Exit::Usage, "--url needs the token of an operator")
                .hint("log in with POST /auth/login and give its accessToken as --token or $GALLAE_TOKEN")
        })?;
        return Ok(Connection { client: Client::network(url, token)?, close: None });
    }
    let settings = target.settings(application)?;
    let directory = directory(&settings)?;
    if let Some(client) = running(&directory, target.token.as_deref()).await? {
        return Ok(Connection { client, close: None });
    }
    if !directory.exists() {
        let told = format!("there is no data directory {}", directory.display());
        return Err(Failure::new(Exit::Unavailable, told).hint("start a server there first, or name another one with --data-dir"));
    }
    let opened = application.open(settings, roles).await?;
    Ok(Connection { client: Client::in_process(opened.router, opened.token), close: Some(opened.close) })
}

/// The server that runs on a data directory, if one does and answers.
async fn running(directory: &Path, token: Option<&str>) -> Result<Option<Client>, Failure> {
    let found = AdminApi::of(directory)
        .map_err(|error| Failure::because(Exit::Unavailable, "the running server cannot be found", &error))?;
    let Some(api) = found else { return Ok(None) };
    let client = Client::network(&api.base_url, token.unwrap_or(api.token.reveal()))?;
    // A server that was killed leaves its word behind; then nobody answers there.
    let alive = tokio::time::timeout(ANSWER, client.get("/health/live")).await;
    Ok(matches!(alive, Ok(Ok(_))).then_some(client))
}

impl Connection {
    /// Finishes what is under way and lets the data directory go.
    pub async fn close(self) {
        if let Some(close) = self.close {
            drop(self.client);
            close.await;
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Whether a platform setting may be read from `settings` at all; for `config check`.
pub(crate) fn platform(settings: &Layers) -> Result<PlatformSettings, Failure> {
    let platform: PlatformSettings = settings.read()?;
    platform.check()?;
    Ok(platform)
}
