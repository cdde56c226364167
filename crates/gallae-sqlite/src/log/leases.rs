//! Leases, judged by this process's clock: it is the only one that writes here.

use super::{SqliteLog, sql};
use gallae_core::Timestamp;
use gallae_ports::{BoxFuture, Fence, Lease, LeaseStore, StoreFault};
use rusqlite::{Connection, OptionalExtension, Row};
use std::{sync::Arc, time::Duration};

impl LeaseStore for SqliteLog {
    fn acquire(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<Lease>, StoreFault>> {
        let (name, owner, clock) = (name.to_owned(), owner.to_owned(), Arc::clone(&self.inner.clock));
        self.write("acquiring a lease", move |connection| {
            acquire(connection, &name, &owner, clock.now(), ttl)
        })
    }

    fn renew(
        &self,
        name: &str,
        owner: &str,
        epoch: u64,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let (name, owner, clock) = (name.to_owned(), owner.to_owned(), Arc::clone(&self.inner.clock));
        self.write("renewing a lease", move |connection| {
            renew(connection, &name, &owner, epoch, clock.now().after(ttl))
        })
    }

    fn release(&self, name: &str, owner: &str, epoch: u64) -> BoxFuture<'_, Result<(), StoreFault>> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        self.write("releasing a lease", move |connection| release(connection, &name, &owner, epoch))
    }

    fn acquire_each(
        &self,
        names: &[String],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        let (names, owner, clock) = (names.to_vec(), owner.to_owned(), Arc::clone(&self.inner.clock));
        self.write("acquiring leases", move |connection| {
            let now = clock.now();
            let acquired = names.iter().map(|name| acquire(connection, name, &owner, now, ttl));
            acquired.filter_map(Result::transpose).collect()
        })
    }

    fn renew_each(
        &self,
        held: &[Fence],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFault>> {
        let (held, owner, clock) = (held.to_vec(), owner.to_owned(), Arc::clone(&self.inner.clock));
        self.write("renewing leases", move |connection| {
            let until = clock.now().after(ttl);
            let mut renewed = Vec::with_capacity(held.len());
            for Fence { lease, epoch } in &held {
                if renew(connection, lease, &owner, *epoch, until)? {
                    renewed.push(lease.clone());
                }
            }
            Ok(renewed)
        })
    }

    fn release_each(&self, held: &[Fence], owner: &str) -> BoxFuture<'_, Result<(), StoreFault>> {
        let (held, owner) = (held.to_vec(), owner.to_owned());
        self.write("releasing leases", move |connection| {
            held.iter().try_for_each(|held| release(connection, &held.lease, &owner, held.epoch))
        })
    }

    fn leases(&self) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        let clock = Arc::clone(&self.inner.clock);
        self.read("listing leases", move |reader| {
            let now = clock.now();
            reader
                .connection
                .prepare_cached("SELECT name, owner, epoch, until FROM leases ORDER BY name")?
                .query_map([], |row| lease(row, now))?
                .collect()
        })
    }
}

fn acquire(
    connection: &Connection,
    name: &str,
    owner: &str,
    now: Timestamp,
    ttl: Duration,
) -> rusqlite::Result<Option<Lease>> {
    let held = connection
        .prepare_cached("SELECT name, owner, epoch, until FROM leases WHERE name = ?1")?
        .query_row([name], |row| lease(row, now))
        .optional()?;
    let epoch = match held {
        None => 1,
        Some(held) if held.owner == owner => held.epoch,
        Some(held) if held.owner.is_empty() || held.until <= now => held.epoch + 1,
        Some(_) => return Ok(None),
    };
    let until = now.after(ttl);
    connection
        .prepare_cached("INSERT OR REPLACE INTO leases (name, owner, epoch, until) VALUES (?1, ?2, ?3, ?4)")?
        .execute((name, owner, sql::integer(epoch), until.as_micros()))?;
    Ok(Some(Lease { name: name.to_owned(), owner: owner.to_owned(), epoch, until, left: ttl }))
}

fn renew(
    connection: &Connection,
    name: &str,
    owner: &str,
    epoch: u64,
    until: Timestamp,
) -> rusqlite::Result<bool> {
    let renewed = connection
        .prepare_cached("UPDATE leases SET until = ?4 WHERE name = ?1 AND owner = ?2 AND epoch = ?3")?
        .execute((name, owner, sql::integer(epoch), until.as_micros()))?;
    Ok(renewed > 0)
}

fn release(connection: &Connection, name: &str, owner: &str, epoch: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE leases SET owner = '', until = 0 WHERE name = ?1 AND owner = ?2 AND epoch = ?3",
        )?
        .execute((name, owner, sql::integer(epoch)))
        .map(drop)
}

fn lease(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Lease> {
    let until = sql::time(row, 3)?;
    Ok(Lease {
        name: row.get(0)?,
        owner: row.get(1)?,
        epoch: sql::unsigned(row, 2)?,
        until,
        left: until.since(now),
    })
}
