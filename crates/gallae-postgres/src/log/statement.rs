//! One statement that writes a whole group: it moves the counter if everything is as assumed, and writes every row only then.

use super::{
    admit::Assumed,
    session::Value,
    writes::{ClaimChange, Writes},
};
use gallae_core::Timestamp;
use std::fmt::Write as _;
use tokio_postgres::types::{ToSql, Type};

/// Collects one value of every row.
macro_rules! column {
    ($rows:expr, $row:pat => $value:expr) => {
        $rows.map(|$row| $value).collect::<Vec<_>>()
    };
}
pub(super) use column;

/// A statement and its parameters.
pub(super) struct Statement<'p> {
    pub(super) text: String,
    pub(super) params: Vec<Value<'p>>,
}

/// Builds it part by part. What a group does not write is not in the text, so few texts occur and each is prepared once.
pub(super) struct Builder<'p> {
    conditions: String,
    parts: String,
    params: Vec<Value<'p>>,
}

/// How records meet what is stored under their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// Nothing is known to be there; if there is, the group fails and is decided again with the rows at hand.
    Unseen,
    /// What is there has been looked at and may be replaced.
    Seen,
}

/// The statement that writes a group on top of transaction `batch` of the log, which ends at `position`. It answers with one row, or
/// with none when something was not as assumed; then nothing was written.
pub(super) fn write_group<'p>(
    writes: &'p Writes<'_>,
    assumed: &'p Assumed<'_>,
    keys: Keys,
    position: u64,
    batch: u64,
    channel: &'p str,
) -> Statement<'p> {
    let mut builder = Builder { conditions: String::new(), parts: String::new(), params: Vec::new() };
    let count = builder.param(writes.events.len() as i64, Type::INT8);
    let batch = builder.param(integer(batch), Type::INT8);
    let channel = builder.param(channel, Type::TEXT);
    builder.assumptions(assumed);
    builder.events(writes, position);
    builder.idempotency(writes, keys);
    builder.inbox(writes);
    builder.claims(writes);
    builder.sagas(writes);
    builder.timers(writes);
    builder.effects(writes);
    builder.early(writes);
    let Builder { conditions, parts, params } = builder;
    let text = format!(
        "WITH moved AS (
            UPDATE @.head SET position = position + {count}, batch = batch + 1
            WHERE only_row = 1 AND batch = {batch}{conditions} RETURNING 1){parts}
        SELECT pg_catalog.pg_notify({channel}, '') FROM moved"
    );
    Statement { text, params }
}

/// PostgreSQL's integers are signed; nothing real is cut off here, but a caller may ask for what comes after `u64::MAX`.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl<'p> Builder<'p> {
    /// Adds a parameter; returns what stands for it in the text.
    pub(super) fn param(&mut self, value: impl ToSql + Sync + Send + 'p, kind: Type) -> String {
        self.params.push((Box::new(value), kind));
        format!("${}", self.params.len())
    }

    fn condition(&mut self, text: &str) {
        let _ = write!(self.conditions, "\n AND {text}");
    }

    pub(super) fn part(&mut self, name: &str, text: &str) {
        let _ = write!(self.parts, ",\n {name} AS ({text})");
    }

    fn assumptions(&mut self, assumed: &'p Assumed<'_>) {
        if !assumed.reached.is_empty() {
            let (streams, versions) = self.places(&assumed.reached);
            let count = assumed_count(&streams);
            self.condition(&format!(
                "(SELECT count(*) FROM unnest({streams}, {versions}) a (stream, version)
                  JOIN @.events e ON e.stream = a.stream AND e.version = a.version) = {count}"
            ));
        }
        if !assumed.unreached.is_empty() {
            let (streams, versions) = self.places(&assumed.unreached);
            self.condition(&format!(
                "NOT EXISTS (SELECT FROM unnest({streams}, {versions}) a (stream, version)
                  JOIN @.events e ON e.stream = a.stream AND e.version = a.version)"
            ));
        }
        if !assumed.leases.is_empty() {
            let names = self.param(column!(assumed.leases.keys(), name => *name), Type::TEXT_ARRAY);
            let epochs =
                self.param(column!(assumed.leases.values(), epoch => integer(*epoch)), Type::INT8_ARRAY);
            let count = assumed_count(&names);
            self.condition(&format!(
                "(SELECT count(*) FROM unnest({names}, {epochs}) a (name, epoch)
                  JOIN @.leases l ON l.name = a.name AND l.epoch = a.epoch AND l.owner <> '') = {count}"
            ));
        }
        if !assumed.claims.is_empty() {
            let claims = || assumed.claims.iter();
            let keys = self.param(column!(claims(), claim => claim.0), Type::TEXT_ARRAY);
            let owners = self.param(column!(claims(), claim => claim.1), Type::TEXT_ARRAY);
            let times = self.param(column!(claims(), claim => claim.2.as_micros()), Type::INT8_ARRAY);
            self.condition(&format!(
                "NOT EXISTS (SELECT FROM unnest({keys}, {owners}, {times}) a (key, owner, time)
                  JOIN @.claims c ON c.key = a.key
                  WHERE c.owner <> a.owner AND (c.expires_at IS NULL OR c.expires_at > a.time))"
            ));
        }
        if !assumed.sagas.is_empty() {
            let sagas = || assumed.sagas.iter();
            let ids = self.param(column!(sagas(), saga => saga.0.uuid()), Type::UUID_ARRAY);
            let versions = self.param(column!(sagas(), saga => integer(saga.1)), Type::INT8_ARRAY);
            let epochs = self.param(column!(sagas(), saga => integer(saga.2)), Type::INT8_ARRAY);
            let count = assumed_count(&ids);
            self.condition(&format!(
                "(SELECT count(*) FROM unnest({ids}, {versions}, {epochs}) a (id, version, epoch)
                  JOIN @.sagas s ON s.id = a.id AND s.version = a.version AND s.epoch <= a.epoch) = {count}"
            ));
        }
    }

    fn places(&mut self, places: &'p [(&str, u64)]) -> (String, String) {
        let streams = self.param(column!(places.iter(), place => place.0), Type::TEXT_ARRAY);
        let versions = self.param(column!(places.iter(), place => integer(place.1)), Type::INT8_ARRAY);
        (streams, versions)
    }

    fn events(&mut self, writes: &'p Writes<'_>, position: u64) {
        if writes.events.is_empty() {
            return;
        }
        let rows = || writes.events.iter();
        let start = self.param(integer(position), Type::INT8);
        let columns = [
            self.param(column!(rows(), row => row.stream), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => integer(row.version)), Type::INT8_ARRAY),
            self.param(column!(rows(), row => &*row.event.event_type), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.event.schema_version.cast_signed()), Type::INT4_ARRAY),
            self.param(column!(rows(), row => row.prepared.batch.time.as_micros()), Type::INT8_ARRAY),
            self.param(column!(rows(), row => row.event.id.uuid()), Type::UUID_ARRAY),
            self.param(column!(rows(), row => row.begins_flow), Type::BYTEA_ARRAY),
            self.param(column!(rows(), row => &row.prepared.metadata.bytes()[..]), Type::BYTEA_ARRAY),
            self.param(column!(rows(), row => &row.event.payload[..]), Type::BYTEA_ARRAY),
        ];
        let columns = columns.join(", ");
        self.part(
            "written",
            &format!(
                "INSERT INTO @.events (position, stream, version, event_type, schema_version, time, id, begins_flow, metadata,
                    payload)
                 SELECT {start} + e.n, e.stream, e.version, e.event_type, e.schema_version, e.time, e.id, e.begins_flow,
                    e.metadata, e.payload
                 FROM moved, unnest({columns}) WITH ORDINALITY
                    e (stream, version, event_type, schema_version, time, id, begins_flow, metadata, payload, n)"
            ),
        );
    }

    fn idempotency(&mut self, writes: &'p Writes<'_>, keys: Keys) {
        if writes.idempotency.is_empty() {
            return;
        }
        let rows = || writes.idempotency.values();
        let columns = [
            self.param(column!(rows(), row => &*row.0.key), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => &*row.0.fingerprint), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => &row.0.response[..]), Type::BYTEA_ARRAY),
            self.param(column!(rows(), row => row.0.expires_at.as_micros()), Type::INT8_ARRAY),
            self.param(column!(rows(), row => row.1.map(integer)), Type::INT8_ARRAY),
        ];
        let replace = match keys {
            Keys::Unseen => "",
            Keys::Seen => {
                " ON CONFLICT ON CONSTRAINT idempotency_by_key DO UPDATE SET fingerprint = excluded.fingerprint,
                    response = excluded.response, expires_at = excluded.expires_at,
                    first_position = excluded.first_position"
            }
        };
        let columns = columns.join(", ");
        self.part(
            "remembered",
            &format!(
                "INSERT INTO @.idempotency (key, fingerprint, response, expires_at, first_position)
                 SELECT r.* FROM moved, unnest({columns}) r{replace}"
            ),
        );
    }

    fn inbox(&mut self, writes: &'p Writes<'_>) {
        if writes.inbox.is_empty() {
            return;
        }
        let rows = || writes.inbox.iter();
        let columns = [
            self.param(column!(rows(), row => &*row.0.consumer), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => &*row.0.message_id), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.1.as_micros()), Type::INT8_ARRAY),
        ];
        let columns = columns.join(", ");
        self.part(
            "applied",
            &format!(
                "INSERT INTO @.inbox (consumer, message_id, applied_at) SELECT r.* FROM moved, unnest({columns}) r"
            ),
        );
    }

    fn claims(&mut self, writes: &'p Writes<'_>) {
        let taken = || {
            writes.claims.iter().filter_map(|(key, (owner, change))| match change {
                ClaimChange::Take(until) => Some((*key, *owner, *until)),
                ClaimChange::Release => None,
            })
        };
        let released = || writes.claims.iter().filter(|(_, (_, change))| *change == ClaimChange::Release);
        if taken().next().is_some() {
            let columns = [
                self.param(column!(taken(), claim => claim.0), Type::TEXT_ARRAY),
                self.param(column!(taken(), claim => claim.1), Type::TEXT_ARRAY),
                self.param(column!(taken(), claim => claim.2.map(Timestamp::as_micros)), Type::INT8_ARRAY),
            ];
            let columns = columns.join(", ");
            self.part(
                "taken",
                &format!(
                    "INSERT INTO @.claims (key, owner, expires_at) SELECT c.* FROM moved, unnest({columns}) c
                     ON CONFLICT ON CONSTRAINT claims_by_key
                     DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at"
                ),
            );
        }
        if released().next().is_some() {
            let keys = self.param(column!(released(), claim => *claim.0), Type::TEXT_ARRAY);
            let owners = self.param(column!(released(), claim => claim.1.0), Type::TEXT_ARRAY);
            self.part(
                "released",
                &format!(
                    "DELETE FROM @.claims c USING moved, unnest({keys}, {owners}) r (key, owner)
                     WHERE c.key = r.key AND c.owner = r.owner"
                ),
            );
        }
    }
}

/// How many rows an array parameter stands for.
fn assumed_count(param: &str) -> String {
    format!("pg_catalog.cardinality({param})")
}
