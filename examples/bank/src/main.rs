//! Opens two accounts in a folder of its own, moves money, and shows what a customer sees.
#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use bank::{Account, Balance, Balances, Deposit, MoveMoney, OpenAccount, RequestTransfer, Transfer};
use gallae::{
    ports::{Order, ViewQuery, ViewStore},
    prelude::*,
};
use std::{error::Error, time::Duration};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let Embedded { log, views } = Embedded::open(folder.path())?;
    let platform = Platform::builder(log)
        .aggregate::<Account>()
        .aggregate::<Transfer>()
        .projection(projector::view::<Balances>(views.clone()))
        .saga::<MoveMoney>()
        .build()?;

    let (mina, juno) = (Id::derived("mina"), Id::derived("juno"));
    platform.run(OpenAccount(mina, "Mina".to_owned())).await?;
    platform.run(OpenAccount(juno, "Juno".to_owned())).await?;
    platform.run(Deposit(mina, 100_000)).await?;
    for (name, amount) in [("rent", 70_000), ("car", 70_000)] {
        let id = Id::derived(name);
        platform.run(RequestTransfer { id, from: mina, to: juno, amount }).await?;
        match ended(&platform, id).await? {
            Ok(()) => println!("{name}: {amount} moved from Mina to Juno"),
            Err(reason) => println!("{name}: {amount} not moved, because {reason}"),
        }
    }

    let head = platform.store().head().await?;
    platform.projections().reached(Balances::NAME, head, PATIENCE).await?;
    let richest = Order { field: "balance", descending: true };
    let query = ViewQuery { order: Some(richest), ..ViewQuery::default() };
    for row in views.query(Balances::NAME, &query).await?.rows {
        let Balance { owner, balance } = serde_json::from_slice(&row.document)?;
        println!("{owner} has {balance}");
    }
    platform.drain(PATIENCE).await;
    Ok(())
}

/// Waits for the saga to tell how the transfer ended.
async fn ended(platform: &Platform, id: Id<Transfer>) -> Result<Result<(), String>, Box<dyn Error>> {
    let waiting = async {
        loop {
            if let Some(end) = platform.peek(id).await?.0.ended {
                return Ok(end);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await?
}
