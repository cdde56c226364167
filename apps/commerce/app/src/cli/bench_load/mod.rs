//! `bench-load`: a bounded load of orders on a running shop, and what it measured.

mod body;
mod connection;
mod customers;
mod load;
mod probe;
mod report;
mod server;

use connection::Address;
use gallae_cli::{Client, Exit, Failure, verbs::Context};
use gallae_runtime::SystemEntropy;
use gallae_ports::Entropy;
use gallae_server::{config::Layers, secrets::AdminApi};
use load::Plan;
use serde::Deserialize;
use std::{path::PathBuf, time::Duration};

#[derive(Debug, clap::Args)]
#[command(after_help = "Registers users, then places orders over a fixed number of connections: as fast as the shop answers, or\n\
at a given rate, where latency counts from the moment at which a request should have left. Beside it one\n\
connection places an order now and then and asks for it until the view shows it. At the end it waits until\n\
every checkout has ended.\n\n\
Every order has a product of its own, so that none is questioned as a duplicate. Only for shops that are\n\
there to be loaded: the orders stay.\n\n\
Examples:\n  \
{bin} bench-load\n  \
{bin} bench-load --connections 64 --seconds 30 --json\n  \
{bin} bench-load --rate 1000 --seconds 60")]
pub(super) struct BenchLoad {
    /// Connections that place orders
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    connections: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Seconds before that are not
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=60))]
    warm_up: u64,
    /// Orders a second in all [default: as fast as the shop answers]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Users that order
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    users: u32,
    /// Items of an order
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    items: u32,
    /// Milliseconds between two looks at how soon an order is visible
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    probe_every: u64,
    /// Load a server that is not on this machine
    #[arg(long)]
    allow_remote: bool,
}

impl BenchLoad {
    pub(super) async fn run(self, cx: Context<'_>) -> Result<Exit, Failure> {
        let settings = cx.target.settings(cx.application)?;
        let (url, token) = find(cx, &settings)?;
        let address = Address::of(&url)?;
        if !address.is_this_machine() && !self.allow_remote {
            return Err(Failure::new(Exit::Usage, format!("{url} is not this machine"))
                .hint("--allow-remote loads it all the same; make sure that it is there to be loaded"));
        }
        let operator = token.map(|token| Client::network(&url, token)).transpose()?;
        let run = SystemEntropy.uuid().simple().to_string();
        cx.output.note(format!("{} users register", self.users));
        let customers = customers::register(&address, &run, self.users).await?;
        let plan = Plan {
            address,
            run,
            customers,
            connections: self.connections,
            items: self.items,
            rate: self.rate,
            warm_up: Duration::from_secs(self.warm_up),
            measured: Duration::from_secs(self.seconds),
            probe_every: Duration::from_millis(self.probe_every),
        };
        cx.output.note(format!("{} connections place orders for {} s", self.connections, self.warm_up + self.seconds));
        let measured = load::run(plan, operator.as_ref(), cx.output).await?;
        let report = report::of(&self, &url, measured);
        cx.output.give(&report, || report::words(&report))?;
        if report["orders"]["placed"] == 0 {
            return Err(Failure::failed("not one order was placed"));
        }
        Ok(Exit::Done)
    }
}

#[derive(Deserialize)]
struct Known {
    data: DataDir,
    http: Http,
}

#[derive(Deserialize)]
struct DataDir {
    dir: PathBuf,
}

#[derive(Deserialize)]
struct Http {
    listen: std::net::SocketAddr,
}

/// The server to load, and an operator's token where there is one: without it the backlog is not measured.
fn find(cx: Context<'_>, settings: &Layers) -> Result<(String, Option<String>), Failure> {
    if let Some(url) = &cx.target.url {
        return Ok((url.clone(), cx.target.token.clone()));
    }
    let known: Known = settings.read()?;
    let unreadable = |error| Failure::because(Exit::Unavailable, "the running server cannot be found", &error);
    match AdminApi::of(&known.data.dir).map_err(unreadable)? {
        Some(api) => Ok((api.base_url, Some(api.token.reveal().to_owned()))),
        None => Ok((format!("http://{}", known.http.listen), cx.target.token.clone())),
    }
}
