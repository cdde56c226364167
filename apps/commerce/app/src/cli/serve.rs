//! `serve`: the shop, until it is told to end.

use super::{application, welcome};
use crate::{Node, ServeError, imports::import_books, serve};
use gallae_cli::{Exit, Failure, verbs::Context};
use gallae_server::{
    config::{Layers, Mode},
    serve::termination,
};
use std::{
    future::pending,
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Settings come from built-in defaults, then gallae.toml, then the environment (GALLAE_HTTP__LISTEN,\n\
JWT_SECRET, NODE_ID, LOG_LEVEL), then these flags: {bin} config show tells which won.\n\
Ctrl-C and SIGTERM end it: what is under way is finished, and nothing acknowledged is lost.\n\n\
Examples:\n  \
{bin} serve\n  \
{bin} serve --data-dir /srv/shop --listen 0.0.0.0:8080\n  \
JWT_SECRET=$(openssl rand -hex 32) {bin} serve --mode production --log-format json\n  \
{bin} serve --demo-catalogue books.csv")]
pub(super) struct Serve {
    /// Where to listen [default: 127.0.0.1:3000]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// How strict: production refuses what is only for trying out [default: demo]
    #[arg(long, value_name = "demo|production")]
    mode: Option<String>,
    /// Books (goodbooks-10k, CSV) to put into the catalogue; those that are there stay as they are
    #[arg(long, value_name = "FILE")]
    demo_catalogue: Option<PathBuf>,
    /// How log lines look [default: pretty]
    #[arg(long, value_name = "pretty|json")]
    log_format: Option<String>,
}

impl Serve {
    pub(super) async fn run(self, cx: Context<'_>) -> Result<Exit, Failure> {
        let configuration = application::configuration(&self.settings(cx)?)?;
        let catalogue = self.demo_catalogue.as_deref().map(read_file).transpose()?;
        let (mode, directory) = (configuration.platform.mode, configuration.platform.data.dir.clone());
        let ready = async |node: &Node, listening| {
            if let Some(file) = &catalogue {
                fill(node, file).await;
            }
            let admin = match mode {
                Mode::Demo => welcome::first_admin(&node.shop).await,
                Mode::Production => Ok(None),
            };
            let admin = admin.unwrap_or_else(|failure| {
                cx.output.note(failure);
                None
            });
            cx.output.note(welcome::words(listening, &directory, mode, admin.as_ref()));
        };
        let shutdown = async {
            if let Err(error) = termination().await {
                tracing::error!(%error, "signals cannot be heard; end this process with SIGKILL");
                pending::<()>().await;
            }
        };
        serve(configuration, ready, shutdown).await.map_err(|error| refused(&error))?;
        cx.output.note("ended; nothing acknowledged was lost");
        Ok(Exit::Done)
    }

    fn settings(&self, cx: Context<'_>) -> Result<Layers, Failure> {
        let mut settings = cx.target.settings(cx.application)?;
        let flags = [
            ("--listen", "http.listen", &self.listen),
            ("--mode", "mode", &self.mode),
            ("--log-format", "log.format", &self.log_format),
        ];
        for (flag, key, value) in flags {
            if let Some(value) = value {
                settings = settings.flag(flag, key, value)?;
            }
        }
        cx.application.check(&settings)?;
        Ok(settings)
    }
}

/// Books that are there already stay as they are. A shop without its books is still open.
async fn fill(node: &Node, file: &[u8]) {
    match import_books(&node.shop.platform, file, &|_| ()).await {
        Ok(report) => tracing::info!(books = report.books.all(), new = report.books.new, "the catalogue is filled"),
        Err(error) => tracing::error!(%error, "the catalogue is not filled; import books goes on where this ended"),
    }
}

fn refused(error: &ServeError) -> Failure {
    match error {
        ServeError::Open(error) => application::closed(error),
        ServeError::Telemetry(_) => Failure::from_error(Exit::Configuration, error),
        ServeError::Listen { .. } | ServeError::Secrets(_) => Failure::from_error(Exit::Unavailable, error),
        ServeError::Serving(_) => Failure::from_error(Exit::Failed, error),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let doing = format!("--demo-catalogue {} cannot be read", path.display());
    std::fs::read(path).map_err(|error| Failure::because(Exit::Usage, &doing, &error))
}
