//! Leases, judged by the clock of the primary.
//!
//! A change of owner moves the counter on. So it takes its turn among the appends: one that names the old epoch as its fence is
//! committed before the change, or sees it.

use super::{PostgresLog, event_store::number};
use crate::{fault::Trouble, pool::Param};
use gallae_core::Timestamp;
use gallae_ports::{BoxFuture, Lease, LeaseStore, StoreFault};
use std::time::Duration;
use tokio_postgres::{Row, types::Type};

macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

const ACQUIRE: &str = concat!(
    "WITH prior AS (SELECT epoch FROM @.leases WHERE name = $1),
    held AS (
        INSERT INTO @.leases AS l (name, owner, epoch, held_until) VALUES ($1, $2, 1, ",
    now!(),
    " + $3)
        ON CONFLICT (name) DO UPDATE SET owner = $2, held_until = ",
    now!(),
    " + $3, epoch = CASE WHEN l.owner = $2 THEN l.epoch ELSE l.epoch + 1 END
        WHERE l.owner = $2 OR l.owner = '' OR l.held_until <= ",
    now!(),
    " RETURNING name, owner, epoch, held_until),
    moved AS (
        UPDATE @.head SET batch = batch + 1 WHERE only_row = 1
        AND EXISTS (SELECT FROM held WHERE epoch > 1 AND epoch IS DISTINCT FROM (SELECT epoch FROM prior))
        RETURNING 1)
    SELECT held.*, (SELECT count(*) FROM moved) FROM held"
);

const RENEW: &str = concat!(
    "UPDATE @.leases SET held_until = ",
    now!(),
    " + $4 WHERE name = $1 AND owner = $2 AND epoch = $3"
);

const RELEASE: &str = "UPDATE @.leases SET owner = '', held_until = 0
    WHERE name = $1 AND owner = $2 AND epoch = $3";

impl LeaseStore for PostgresLog {
    fn acquire(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<Lease>, StoreFault>> {
        let (name, owner, ttl) = (name.to_owned(), owner.to_owned(), micros(ttl));
        Box::pin(async move {
            const DOING: &str = "acquiring a lease";
            let params: [Param<'_>; 3] = [(&name, Type::TEXT), (&owner, Type::TEXT), (&ttl, Type::INT8)];
            let rows = self.write_pool().query(DOING, ACQUIRE, &params).await?;
            rows.first().map(lease).transpose().map_err(|trouble| trouble.into_fault(DOING))
        })
    }

    fn renew(
        &self,
        name: &str,
        owner: &str,
        epoch: u64,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        let (epoch, ttl) = (epoch.cast_signed(), micros(ttl));
        Box::pin(async move {
            let params: [Param<'_>; 4] =
                [(&name, Type::TEXT), (&owner, Type::TEXT), (&epoch, Type::INT8), (&ttl, Type::INT8)];
            Ok(self.write_pool().execute("renewing a lease", RENEW, &params).await? > 0)
        })
    }

    fn release(&self, name: &str, owner: &str, epoch: u64) -> BoxFuture<'_, Result<(), StoreFault>> {
        let (name, owner, epoch) = (name.to_owned(), owner.to_owned(), epoch.cast_signed());
        Box::pin(async move {
            let params: [Param<'_>; 3] = [(&name, Type::TEXT), (&owner, Type::TEXT), (&epoch, Type::INT8)];
            self.write_pool().execute("releasing a lease", RELEASE, &params).await.map(drop)
        })
    }

    fn leases(&self) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        Box::pin(async move {
            const DOING: &str = "listing leases";
            const LEASES: &str = "SELECT name, owner, epoch, held_until FROM @.leases ORDER BY name";
            let rows = self.write_pool().read(DOING, LEASES, &[]).await?;
            rows.iter().map(lease).collect::<Result<_, _>>().map_err(|trouble| trouble.into_fault(DOING))
        })
    }
}

fn micros(ttl: Duration) -> i64 {
    // A century is for ever, and leaves room to add it to a time.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    ttl.min(LONGEST).as_micros() as i64
}

fn lease(row: &Row) -> Result<Lease, Trouble> {
    Ok(Lease {
        name: row.try_get(0)?,
        owner: row.try_get(1)?,
        epoch: number(row, 2)?,
        until: Timestamp::from_micros(row.try_get(3)?),
    })
}
