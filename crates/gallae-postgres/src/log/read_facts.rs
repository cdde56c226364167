//! Reading the rows that decide, all in one round trip.

use super::{
    facts::{Facts, Needs},
    session::{Prepared, Value},
    statement::integer,
};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, try_join_all};
use gallae_core::{SagaId, Timestamp};
use gallae_ports::{HeldClaim, IdempotencyRecord};
use std::sync::Arc;
use tokio_postgres::{Client, Error, Row, types::Type};
use uuid::Uuid;

/// Looks at the counter without holding anybody up.
pub(super) const LOOK: &str = "SELECT position, batch FROM @.head WHERE only_row = 1";

/// Holds the counter until the end of the transaction: nobody else writes meanwhile.
pub(super) const LOCK: &str = "SELECT position, batch FROM @.head WHERE only_row = 1 FOR UPDATE";

const HEADS: &str = "SELECT coalesce((SELECT e.version FROM @.events e WHERE e.stream = s.stream
    ORDER BY e.version DESC LIMIT 1), 0) FROM unnest($1) WITH ORDINALITY s (stream, n) ORDER BY s.n";

const FIRSTS: &str = "SELECT e.stream, e.version, e.position, e.id FROM unnest($1, $2) a (stream, version)
    JOIN @.events e ON e.stream = a.stream AND e.version = a.version";

const IDEMPOTENCY: &str = "SELECT key, fingerprint, response, expires_at, first_position FROM @.idempotency
    WHERE key = ANY ($1)";

const INBOX: &str = "SELECT i.consumer, i.message_id FROM unnest($1, $2) a (consumer, message_id)
    JOIN @.inbox i ON i.consumer = a.consumer AND i.message_id = a.message_id";

const CLAIMS: &str = "SELECT key, owner, expires_at FROM @.claims WHERE key = ANY ($1)";

const SAGAS: &str = "SELECT id, version, epoch FROM @.sagas WHERE id = ANY ($1)";

const SAGA_KEYS: &str = "SELECT s.definition, s.business_key FROM unnest($1, $2) a (definition, business_key)
    JOIN @.sagas s ON s.definition = a.definition AND s.business_key = a.business_key";

const LEASES: &str = "SELECT name, epoch FROM @.leases WHERE name = ANY ($1) AND owner <> ''";

const EVENTS: &str = "SELECT position, id, version FROM @.events WHERE position = ANY ($1)";

/// What is asked, and what becomes of the answer.
pub(super) struct Question<'a> {
    pub(super) text: Arc<str>,
    pub(super) params: Vec<Value<'a>>,
    take: fn(&mut Facts, &Needs<'_>, Vec<Row>) -> Result<(), Error>,
}

/// Puts questions to one session, one after the other without waiting, and keeps the answers. `begin` and `end` surround them.
pub(super) async fn read(
    client: &Client,
    prepared: &Prepared,
    needs: &Needs<'_>,
    questions: &[Question<'_>],
    begin: &str,
    end: Option<&str>,
) -> Result<Facts, Error> {
    let script = |text| client.batch_execute(text).map(|done| done.map(|()| Vec::new())).boxed();
    let mut asked: Vec<BoxFuture<'_, Result<Vec<Row>, Error>>> = Vec::with_capacity(questions.len() + 2);
    asked.push(script(begin));
    asked.extend(
        questions.iter().map(|question| prepared.query(client, &question.text, &question.params).boxed()),
    );
    asked.extend(end.map(script));
    // Each is sent when it is first polled, in this order.
    let answers = try_join_all(asked).await?;
    let mut facts = Facts::default();
    for (question, rows) in questions.iter().zip(answers.into_iter().skip(1)) {
        (question.take)(&mut facts, needs, rows)?;
    }
    Ok(facts)
}

/// The question for the events at these positions.
pub(super) fn events_at(positions: &[u64], text: impl Fn(&'static str) -> Arc<str>) -> Question<'static> {
    let positions: Vec<i64> = positions.iter().copied().map(integer).collect();
    Question { text: text(EVENTS), params: vec![(Box::new(positions), Type::INT8_ARRAY)], take: take_events }
}

/// Asks one question outside a transaction, or in the one that is open.
pub(super) async fn read_more(
    client: &Client,
    prepared: &Prepared,
    facts: &mut Facts,
    question: &Question<'_>,
) -> Result<(), Error> {
    let rows = prepared.query(client, &question.text, &question.params).await?;
    (question.take)(facts, &Needs::default(), rows)
}

/// Every question of a group.
pub(super) fn questions<'a>(
    needs: &'a Needs<'_>,
    head: &'static str,
    text: impl Fn(&'static str) -> Arc<str>,
) -> Vec<Question<'a>> {
    let mut questions = vec![Question { text: text(head), params: Vec::new(), take: take_head }];
    let mut ask = |needed: bool, statement, params: &dyn Fn() -> Vec<Value<'a>>, take| {
        if needed {
            questions.push(Question { text: text(statement), params: params(), take });
        }
    };
    let pairs = |pairs: &std::collections::BTreeSet<(&'a str, &'a str)>| {
        vec![
            texts(pairs.iter().map(|pair| pair.0).collect()),
            texts(pairs.iter().map(|pair| pair.1).collect()),
        ]
    };
    ask(
        !needs.streams.is_empty(),
        HEADS,
        &|| vec![texts(needs.streams.iter().map(|stream| stream.as_str()).collect())],
        take_heads,
    );
    ask(
        !needs.firsts.is_empty(),
        FIRSTS,
        &|| {
            let versions: Vec<i64> = needs.firsts.iter().map(|first| integer(first.1)).collect();
            vec![
                texts(needs.firsts.iter().map(|first| first.0).collect()),
                (Box::new(versions), Type::INT8_ARRAY),
            ]
        },
        take_firsts,
    );
    ask(
        !needs.idempotency.is_empty(),
        IDEMPOTENCY,
        &|| vec![texts(needs.idempotency.iter().copied().collect())],
        take_idempotency,
    );
    ask(!needs.inbox.is_empty(), INBOX, &|| pairs(&needs.inbox), take_inbox);
    ask(
        !needs.claims.is_empty(),
        CLAIMS,
        &|| vec![texts(needs.claims.iter().copied().collect())],
        take_claims,
    );
    ask(
        !needs.sagas.is_empty(),
        SAGAS,
        &|| vec![(Box::new(needs.sagas.iter().copied().collect::<Vec<Uuid>>()) as _, Type::UUID_ARRAY)],
        take_sagas,
    );
    ask(!needs.saga_keys.is_empty(), SAGA_KEYS, &|| pairs(&needs.saga_keys), take_saga_keys);
    ask(
        !needs.leases.is_empty(),
        LEASES,
        &|| vec![texts(needs.leases.iter().copied().collect())],
        take_leases,
    );
    questions
}

fn texts<'a>(values: Vec<&'a str>) -> Value<'a> {
    (Box::new(values), Type::TEXT_ARRAY)
}

fn number(row: &Row, column: usize) -> Result<u64, Error> {
    row.try_get::<_, i64>(column).map(i64::cast_unsigned)
}

fn take_head(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        facts.position = number(&row, 0)?;
        facts.batch = number(&row, 1)?;
    }
    Ok(())
}

fn take_heads(facts: &mut Facts, needs: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for (stream, row) in needs.streams.iter().zip(rows) {
        facts.heads.insert((*stream).clone(), number(&row, 0)?);
    }
    Ok(())
}

fn take_firsts(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        facts.firsts.insert((row.try_get(0)?, number(&row, 1)?), (number(&row, 2)?, row.try_get(3)?));
    }
    Ok(())
}

fn take_idempotency(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        let first = row.try_get::<_, Option<i64>>(4)?.map(i64::cast_unsigned);
        let record = idempotency_record(&row)?;
        facts.idempotency.insert(record.key.clone(), (record, first));
    }
    Ok(())
}

/// A record from `key, fingerprint, response, expires_at`.
pub(super) fn idempotency_record(row: &Row) -> Result<IdempotencyRecord, Error> {
    Ok(IdempotencyRecord {
        key: row.try_get(0)?,
        fingerprint: row.try_get(1)?,
        response: Bytes::copy_from_slice(row.try_get(2)?),
        expires_at: Timestamp::from_micros(row.try_get(3)?),
    })
}

fn take_inbox(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        facts.inbox.insert((row.try_get(0)?, row.try_get(1)?));
    }
    Ok(())
}

fn take_claims(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        let expires_at = row.try_get::<_, Option<i64>>(2)?.map(Timestamp::from_micros);
        facts.claims.insert(row.try_get(0)?, HeldClaim { owner: row.try_get(1)?, expires_at });
    }
    Ok(())
}

fn take_sagas(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        facts.sagas.insert(SagaId::new(row.try_get(0)?), (number(&row, 1)?, number(&row, 2)?));
    }
    Ok(())
}

fn take_saga_keys(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        facts.saga_keys.insert((row.try_get(0)?, row.try_get(1)?));
    }
    Ok(())
}

fn take_leases(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        facts.leases.insert(row.try_get(0)?, number(&row, 1)?);
    }
    Ok(())
}

fn take_events(facts: &mut Facts, _: &Needs<'_>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        facts.events.insert(number(&row, 0)?, (row.try_get(1)?, number(&row, 2)?));
    }
    Ok(())
}
