//! `cargo xtask services`: the servers beside the shop, installed, and one PostgreSQL of this project for a developer's day.

mod install;

use crate::{
    process::Failure,
    workspace::{self, Workspace},
};
use gallae_lab_servers::{KeptPostgres, PACKAGES, POSTGRES, Package, SHARED_POSTGRES, ServerError};
use std::path::PathBuf;

pub(crate) use install::install;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Nothing here is needed to run the shop: it starts with SQLite. Tests start servers of their own and remove them.

  cargo xtask services status               what is installed, what runs
  cargo xtask services install              says what it would do, asks, and installs what is missing
  cargo xtask services install nginx --yes  one of them, without asking
  cargo xtask services start                one PostgreSQL below target/services, on a free port of this machine;
                                            prints its URL
  GALLAE_TEST_POSTGRES=URL cargo test -p gallae-postgres
                                            tests on that server instead of one that they start themselves
  cargo xtask services stop                 shuts it down; its data stays until `cargo clean`";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Install what is missing: with apt-get on Debian and Ubuntu as root; elsewhere it names the command
    Install(InstallArguments),
    /// Start PostgreSQL with data of its own, and print where it listens
    Start(Place),
    /// Shut it down; its data stays
    Stop(Place),
    /// Say what is installed and what runs
    Status(Place),
}

#[derive(Debug, clap::Args)]
struct InstallArguments {
    /// Which ones; all of them unless named
    #[arg(value_name = "NAME", value_parser = names())]
    names: Vec<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Where its data and its log are
    #[arg(long, value_name = "DIR", default_value = "target/services/postgres")]
    folder: PathBuf,
}

fn names() -> Vec<&'static str> {
    PACKAGES.iter().map(|package| package.name).collect()
}

pub(crate) fn services(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.verb {
        Verb::Install(InstallArguments { names, yes }) => {
            let chosen =
                |package: &&Package| names.is_empty() || names.iter().any(|name| name == package.name);
            let packages: Vec<_> = PACKAGES.iter().filter(chosen).copied().collect();
            install(&packages, *yes || crate::is_ci())
        }
        Verb::Start(place) => start(&place.server()?),
        Verb::Stop(place) => stop(&place.server()?),
        Verb::Status(place) => status(place),
    }
}

impl Place {
    fn server(&self) -> Result<KeptPostgres, Failure> {
        Ok(KeptPostgres::in_folder(&self.folder()?)?)
    }

    /// Relative ones are below the repository, `target` wherever cargo keeps it.
    fn folder(&self) -> Result<PathBuf, Failure> {
        match self.folder.strip_prefix("target") {
            Ok(rest) => Ok(Workspace::load()?.target.join(rest)),
            Err(_) => Ok(workspace::root().join(&self.folder)),
        }
    }
}

fn start(server: &KeptPostgres) -> Result<(), Failure> {
    let url = server.start()?;
    println!("PostgreSQL listens at {url}");
    println!("  log:    {}", server.log().display());
    println!("  tests:  {SHARED_POSTGRES}={url} cargo test …");
    println!("  psql:   psql {url}");
    println!("  end it: cargo xtask services stop");
    Ok(())
}

fn stop(server: &KeptPostgres) -> Result<(), Failure> {
    match server.stop()? {
        true => println!("PostgreSQL is shut down; its data stays"),
        false => println!("PostgreSQL did not run"),
    }
    Ok(())
}

fn status(place: &Place) -> Result<(), Failure> {
    for package in PACKAGES {
        let line = match package.version() {
            Some(version) if package.missing().is_empty() => version,
            _ => format!("not installed; get it with `{}`", package.remedy()),
        };
        println!("{:<10} {line}", package.name);
    }
    if POSTGRES.missing().is_empty() {
        match place.server()?.running()? {
            Some(url) => println!("PostgreSQL listens at {url}"),
            None => println!("PostgreSQL does not run; start one with `cargo xtask services start`"),
        }
    }
    Ok(())
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        // Its `Debug` is the whole chain in words.
        Self::new(format!("{error:?}"))
    }
}
