//! The verbs of the platform.

mod backup;
mod config;
mod doctor;
mod projection;
mod relay;
mod saga;
mod stream;
mod trace;

pub use trace::show_flow;

use crate::{Application, Connection, Exit, Failure, Output, Target, connect};
use clap::Command;
use gallae_runtime::Roles;

/// What a verb runs with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The application.
    pub application: &'a dyn Application,
    /// Which one of them.
    pub target: &'a Target,
    /// Where words go.
    pub output: &'a Output,
}

impl Context<'_> {
    /// The way to the application; see [`connect`].
    ///
    /// # Errors
    /// See [`connect`].
    pub async fn connect(&self, roles: Roles) -> Result<Connection, Failure> {
        connect(self.application, self.target, roles).await
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("target", &self.target).field("output", &self.output).finish_non_exhaustive()
    }
}

/// A verb of the platform; an application flattens it into its own.
#[derive(Debug, clap::Subcommand)]
pub enum PlatformVerb {
    /// Look at streams: list them, show their events, go back in time, follow what happens
    #[command(subcommand)]
    Stream(stream::Stream),
    /// Look at sagas, and help those that need it
    #[command(subcommand)]
    Saga(saga::Saga),
    /// Look at projections: rebuild, verify, repair, pause, and take up parked events
    #[command(subcommand)]
    Projection(projection::Projection),
    /// Look at the relay, which publishes the log to the broker
    #[command(subcommand)]
    Relay(relay::Relay),
    /// Show the settings in force and where each comes from, or judge them
    #[command(subcommand)]
    Config(config::Config),
    /// Check everything that must hold: the log, the views, money, stock, sagas
    Doctor(doctor::Doctor),
    /// Copy the data directory while the application runs
    Backup(backup::Backup),
}

impl PlatformVerb {
    /// Does it.
    ///
    /// # Errors
    /// When it was refused, or failed on the way.
    pub async fn run(self, cx: Context<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Config(verb) => return verb.run(cx),
            Self::Doctor(verb) => return verb.run(cx).await,
            Self::Backup(verb) => return verb.run(cx).await,
            _ => {}
        }
        let connection = cx.connect(self.roles()).await?;
        let (client, output) = (&connection.client, cx.output);
        let done = match &self {
            Self::Stream(verb) => verb.run(client, output).await,
            Self::Saga(verb) => verb.run(client, output).await,
            Self::Projection(verb) => verb.run(client, output).await,
            Self::Relay(verb) => verb.run(client, output).await,
            Self::Config(_) | Self::Doctor(_) | Self::Backup(_) => Ok(Exit::Done),
        };
        connection.close().await;
        done
    }

    /// What has to run beside the verb where no server runs.
    fn roles(&self) -> Roles {
        match self {
            Self::Saga(verb) if verb.intervenes() => Roles::ALL,
            Self::Projection(_) => Roles { projector: true, ..Roles::NONE },
            Self::Relay(_) => Roles { relay: true, ..Roles::NONE },
            _ => Roles::NONE,
        }
    }
}

/// Puts the program's name into the examples of every verb's help, where they say `{bin}`.
pub fn name_examples(command: Command, bin: &str) -> Command {
    let examples = command.get_after_help().map(|help| help.to_string().replace("{bin}", bin));
    let command = match examples {
        Some(examples) => command.after_help(examples),
        None => command,
    };
    command.mut_subcommands(|verb| name_examples(verb, bin))
}
