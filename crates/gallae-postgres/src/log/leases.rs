//! Leases, judged by the clock of the primary.
//!
//! A change of owner moves the counter on. So it takes its turn among the appends: one that names the old epoch as its fence is
//! committed before the change, or sees it.

use super::{PostgresLog, event_store::number};
use crate::{fault::Trouble, pool::Param};
use gallae_core::Timestamp;
use gallae_ports::{BoxFuture, Fence, Lease, LeaseStore, StoreFault};
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
    SELECT held.*, greatest(held.held_until - ",
    now!(),
    ", 0), (SELECT count(*) FROM moved) FROM held"
);

const ACQUIRE_EACH: &str = concat!(
    "WITH prior AS (SELECT name, epoch FROM @.leases WHERE name = ANY ($1)),
    held AS (
        INSERT INTO @.leases AS l (name, owner, epoch, held_until)
        SELECT w.name, $2, 1, ",
    now!(),
    " + $3 FROM (SELECT DISTINCT name FROM unnest($1) n (name) ORDER BY name) w
        ON CONFLICT (name) DO UPDATE SET owner = $2, held_until = ",
    now!(),
    " + $3, epoch = CASE WHEN l.owner = $2 THEN l.epoch ELSE l.epoch + 1 END
        WHERE l.owner = $2 OR l.owner = '' OR l.held_until <= ",
    now!(),
    " RETURNING name, owner, epoch, held_until),
    moved AS (
        UPDATE @.head SET batch = batch + 1 WHERE only_row = 1
        AND EXISTS (SELECT FROM held LEFT JOIN prior USING (name)
            WHERE held.epoch > 1 AND held.epoch IS DISTINCT FROM prior.epoch)
        RETURNING 1)
    SELECT held.*, greatest(held.held_until - ",
    now!(),
    ", 0), (SELECT count(*) FROM moved) FROM held"
);

const RENEW_EACH: &str = concat!(
    "UPDATE @.leases l SET held_until = ",
    now!(),
    " + $4 FROM unnest($1, $2) h (name, epoch)
    WHERE l.name = h.name AND l.epoch = h.epoch AND l.owner = $3 RETURNING l.name"
);

const RELEASE_EACH: &str =
    "UPDATE @.leases l SET owner = '', held_until = 0 FROM unnest($1, $2) h (name, epoch)
    WHERE l.name = h.name AND l.epoch = h.epoch AND l.owner = $3";

const LEASES: &str = concat!(
    "SELECT name, owner, epoch, held_until, greatest(held_until - ",
    now!(),
    ", 0) FROM @.leases ORDER BY name"
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

    fn acquire_each(
        &self,
        names: &[String],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        let (names, owner, ttl) = (names.to_vec(), owner.to_owned(), micros(ttl));
        Box::pin(async move {
            const DOING: &str = "acquiring leases";
            let params: [Param<'_>; 3] =
                [(&names, Type::TEXT_ARRAY), (&owner, Type::TEXT), (&ttl, Type::INT8)];
            let rows = self.write_pool().query(DOING, ACQUIRE_EACH, &params).await?;
            rows.iter().map(lease).collect::<Result<_, _>>().map_err(|trouble| trouble.into_fault(DOING))
        })
    }

    fn renew_each(
        &self,
        held: &[Fence],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFault>> {
        let ((names, epochs), owner, ttl) = (columns(held), owner.to_owned(), micros(ttl));
        Box::pin(async move {
            const DOING: &str = "renewing leases";
            let params: [Param<'_>; 4] = [
                (&names, Type::TEXT_ARRAY),
                (&epochs, Type::INT8_ARRAY),
                (&owner, Type::TEXT),
                (&ttl, Type::INT8),
            ];
            let rows = self.write_pool().query(DOING, RENEW_EACH, &params).await?;
            let names: Result<_, tokio_postgres::Error> = rows.iter().map(|row| row.try_get(0)).collect();
            names.map_err(|error| Trouble::from(error).into_fault(DOING))
        })
    }

    fn release_each(&self, held: &[Fence], owner: &str) -> BoxFuture<'_, Result<(), StoreFault>> {
        let ((names, epochs), owner) = (columns(held), owner.to_owned());
        Box::pin(async move {
            let params: [Param<'_>; 3] =
                [(&names, Type::TEXT_ARRAY), (&epochs, Type::INT8_ARRAY), (&owner, Type::TEXT)];
            self.write_pool().execute("releasing leases", RELEASE_EACH, &params).await.map(drop)
        })
    }

    fn leases(&self) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        Box::pin(async move {
            const DOING: &str = "listing leases";
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

fn columns(held: &[Fence]) -> (Vec<String>, Vec<i64>) {
    held.iter().map(|held| (held.lease.clone(), held.epoch.cast_signed())).unzip()
}

fn lease(row: &Row) -> Result<Lease, Trouble> {
    Ok(Lease {
        name: row.try_get(0)?,
        owner: row.try_get(1)?,
        epoch: number(row, 2)?,
        until: Timestamp::from_micros(row.try_get(3)?),
        left: Duration::from_micros(number(row, 4)?),
    })
}
