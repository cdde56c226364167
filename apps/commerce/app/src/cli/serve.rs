//! `serve`: the shop, until it is told to end.

use super::{application, open::open, welcome};
use crate::imports::import_books;
use gallae_cli::{Exit, Failure, verbs::Context};
use gallae_http::auth::Secret;
use gallae_runtime::Roles;
use gallae_server::{
    config::{Layers, Mode},
    housekeeping,
    secrets::AdminApiFile,
    serve::{serve, termination},
    telemetry,
};
use std::{
    future::pending,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::net::TcpListener;

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
        let (settings, shop) = application::read(&self.settings(cx)?)?;
        let unready = |error: telemetry::TelemetryError| Failure::because(Exit::Configuration, "no logs", &error);
        telemetry::log_to_stderr(&settings.log).map_err(unready)?;
        let metrics = telemetry::collect_metrics().map_err(unready)?;
        let catalogue = self.demo_catalogue.as_deref().map(read_file).transpose()?;
        // Before the stores are opened: a port that is taken is told at once.
        let (listener, listening) = listen(settings.http.listen).await?;

        let token = Secret::random();
        let (mode, drain) = (settings.mode, settings.drain());
        let directory = settings.data.dir.clone();
        let opened = open(settings, shop, Roles::ALL, &token, Some(metrics.clone())).await?;
        let (platform, clock) = (&opened.platform, opened.platform.clock());
        housekeeping::start(platform.supervisor(), clock, Some(metrics), opened.limits.clone());
        let word = AdminApiFile::leave(&directory, listening, &token)
            .map_err(|error| Failure::because(Exit::Unavailable, "the data directory", &error))?;
        let admin = match mode {
            Mode::Demo => welcome::first_admin(&opened.shop).await?,
            Mode::Production => None,
        };
        cx.output.note(welcome::words(listening, &directory, mode, admin.as_ref()));

        let catalogue = async {
            let Some(file) = catalogue else { return };
            match import_books(platform, &file, &|_| ()).await {
                Ok(report) => tracing::info!(books = report.books.all(), new = report.books.new, "the catalogue is filled"),
                Err(error) => tracing::error!(%error, "the catalogue was not filled"),
            }
        };
        let shutdown = async {
            if let Err(error) = termination().await {
                tracing::error!(%error, "signals cannot be heard; end this process with SIGKILL");
                pending::<()>().await;
            }
        };
        let serving = serve(listener, opened.router, opened.readiness, drain, shutdown);
        let (served, ()) = tokio::join!(serving, catalogue);
        drop(word);
        if !platform.drain(drain).await {
            tracing::warn!("the background work was cut off; it is taken up at the next start");
        }
        served.map_err(|error| Failure::because(Exit::Failed, "the listener failed", &error))?;
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

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let refused = |error| {
        Failure::because(Exit::Unavailable, &format!("{address} cannot be listened on"), &error)
            .hint("another program may listen there: choose another address with --listen")
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let listening = listener.local_addr().map_err(refused)?;
    Ok((listener, listening))
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let doing = format!("--demo-catalogue {} cannot be read", path.display());
    std::fs::read(path).map_err(|error| Failure::because(Exit::Usage, &doing, &error))
}
