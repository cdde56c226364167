//! The parts of a group's statement that write saga rows, timers and effects.

use super::{
    statement::{Builder, column, integer},
    writes::Writes,
};
use gallae_core::{Timestamp, saga::Cause};
use gallae_ports::{EffectRow, SagaRow};
use tokio_postgres::types::Type;

const SAGA_COLUMNS: &str =
    "id, definition, definition_version, definition_hash, business_key, status, ended, cause, step, reason,
    version, partition, epoch, next_due, deadline, correlation, \"user\", started_at, updated_at";

impl<'p> Builder<'p> {
    pub(super) fn sagas(&mut self, writes: &'p Writes<'_>) {
        if !writes.saga_inserts.is_empty() {
            let columns = self.saga_columns(|| writes.saga_inserts.values().copied());
            self.part(
                "begun",
                &format!("INSERT INTO @.sagas ({SAGA_COLUMNS}) SELECT s.* FROM moved, unnest({columns}) s"),
            );
        }
        if !writes.saga_updates.is_empty() {
            let columns = self.saga_columns(|| writes.saga_updates.values().copied());
            self.part(
                "moved_on",
                &format!(
                    "UPDATE @.sagas t SET ({SAGA_COLUMNS}) = ROW (s.*)
                     FROM moved, unnest({columns}) s ({SAGA_COLUMNS}) WHERE t.id = s.id"
                ),
            );
        }
    }

    /// The values of [`SAGA_COLUMNS`].
    fn saga_columns<R: Iterator<Item = &'p SagaRow>>(&mut self, rows: impl Fn() -> R) -> String {
        let ended = |row: &SagaRow| row.status.is_terminal().then_some(row.status.as_str());
        let columns = [
            self.param(column!(rows(), row => row.id.uuid()), Type::UUID_ARRAY),
            self.param(column!(rows(), row => &*row.definition), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.definition_version.cast_signed()), Type::INT4_ARRAY),
            self.param(column!(rows(), row => &*row.definition_hash), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => &*row.business_key), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.status.as_str()), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => ended(row)), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.cause.map(Cause::as_str)), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.step.as_deref()), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.reason.as_deref()), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => integer(row.version.get())), Type::INT8_ARRAY),
            self.param(column!(rows(), row => i32::from(row.partition)), Type::INT4_ARRAY),
            self.param(column!(rows(), row => integer(row.epoch)), Type::INT8_ARRAY),
            self.param(column!(rows(), row => row.next_due.map(Timestamp::as_micros)), Type::INT8_ARRAY),
            self.param(column!(rows(), row => row.deadline.map(Timestamp::as_micros)), Type::INT8_ARRAY),
            self.param(column!(rows(), row => row.correlation_id.as_str()), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.user), Type::UUID_ARRAY),
            self.param(column!(rows(), row => row.started_at.as_micros()), Type::INT8_ARRAY),
            self.param(column!(rows(), row => row.updated_at.as_micros()), Type::INT8_ARRAY),
        ];
        columns.join(", ")
    }

    pub(super) fn timers(&mut self, writes: &'p Writes<'_>) {
        let set = || writes.timers.values().filter_map(|row| *row);
        let removed = || writes.timers.iter().filter(|(_, row)| row.is_none()).map(|(key, _)| *key);
        let mut kept = None;
        if set().next().is_some() {
            let sagas = self.param(column!(set(), row => row.saga.uuid()), Type::UUID_ARRAY);
            let timers = self.param(column!(set(), row => &*row.timer), Type::TEXT_ARRAY);
            let columns = [
                self.param(column!(set(), row => i32::from(row.partition)), Type::INT4_ARRAY),
                self.param(column!(set(), row => row.kind.as_str()), Type::TEXT_ARRAY),
                self.param(column!(set(), row => row.fire_at.as_micros()), Type::INT8_ARRAY),
                self.param(column!(set(), row => row.fail_count.cast_signed()), Type::INT4_ARRAY),
            ];
            let columns = columns.join(", ");
            self.part(
                "timed",
                &format!(
                    "INSERT INTO @.timers (saga, timer, partition, kind, fire_at, fail_count)
                     SELECT t.* FROM moved, unnest({sagas}, {timers}, {columns}) t
                     ON CONFLICT ON CONSTRAINT timers_by_saga
                     DO UPDATE SET partition = excluded.partition, kind = excluded.kind, fire_at = excluded.fire_at,
                        fail_count = excluded.fail_count"
                ),
            );
            kept = Some((sagas, timers));
        }
        if removed().next().is_some() {
            let sagas = self.param(column!(removed(), key => key.0.uuid()), Type::UUID_ARRAY);
            let timers = self.param(column!(removed(), key => key.1), Type::TEXT_ARRAY);
            self.part(
                "untimed",
                &format!(
                    "DELETE FROM @.timers t USING moved, unnest({sagas}, {timers}) r (saga, timer)
                     WHERE t.saga = r.saga AND t.timer = r.timer"
                ),
            );
        }
        if !writes.cleared.is_empty() {
            let cleared = self.param(column!(writes.cleared.iter(), saga => saga.uuid()), Type::UUID_ARRAY);
            let but = kept.map_or_else(String::new, |(sagas, timers)| {
                format!(
                    " AND NOT EXISTS (SELECT FROM unnest({sagas}, {timers}) k (saga, timer)
                         WHERE k.saga = t.saga AND k.timer = t.timer)"
                )
            });
            self.part(
                "cleared",
                &format!("DELETE FROM @.timers t USING moved WHERE t.saga = ANY ({cleared}){but}"),
            );
        }
    }

    pub(super) fn effects(&mut self, writes: &'p Writes<'_>) {
        if writes.effects.is_empty() {
            return;
        }
        let rows = || writes.effects.values();
        // A JSON value without a number that JSON lacks can be written; there is none here.
        let response = |row: &EffectRow| row.response.as_ref().map(ToString::to_string);
        let columns = [
            self.param(column!(rows(), row => row.saga.uuid()), Type::UUID_ARRAY),
            self.param(column!(rows(), row => &*row.key), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => &*row.step), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.direction.as_str()), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => &*row.request_hash), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.state.as_str()), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => row.first_sent_at.as_micros()), Type::INT8_ARRAY),
            self.param(column!(rows(), row => row.attempts.cast_signed()), Type::INT4_ARRAY),
            self.param(column!(rows(), row => response(row)), Type::TEXT_ARRAY),
            self.param(column!(rows(), row => integer(row.epoch)), Type::INT8_ARRAY),
        ];
        let columns = columns.join(", ");
        self.part(
            "sent",
            &format!(
                "INSERT INTO @.effects (saga, key, step, direction, request_hash, state, first_sent_at, attempts, response,
                    epoch)
                 SELECT e.* FROM moved, unnest({columns}) e
                 ON CONFLICT ON CONSTRAINT effects_by_key
                 DO UPDATE SET step = excluded.step, direction = excluded.direction,
                    request_hash = excluded.request_hash, state = excluded.state,
                    first_sent_at = excluded.first_sent_at, attempts = excluded.attempts,
                    response = excluded.response, epoch = excluded.epoch"
            ),
        );
    }

    pub(super) fn early(&mut self, writes: &'p Writes<'_>) {
        let kept = || writes.early.values().filter_map(|message| *message);
        let removed = || writes.early.iter().filter(|(_, message)| message.is_none()).map(|(key, _)| *key);
        if kept().next().is_some() {
            let columns = [
                self.param(column!(kept(), message => message.saga.uuid()), Type::UUID_ARRAY),
                self.param(column!(kept(), message => &*message.message_id), Type::TEXT_ARRAY),
                self.param(column!(kept(), message => &*message.signal), Type::TEXT_ARRAY),
                self.param(column!(kept(), message => message.payload.to_string()), Type::TEXT_ARRAY),
                self.param(column!(kept(), message => message.expires_at.as_micros()), Type::INT8_ARRAY),
            ];
            let columns = columns.join(", ");
            self.part(
                "early",
                &format!(
                    "INSERT INTO @.early_messages (saga, message_id, signal, payload, expires_at)
                     SELECT m.* FROM moved, unnest({columns}) m
                     ON CONFLICT ON CONSTRAINT early_messages_by_saga
                     DO UPDATE SET signal = excluded.signal, payload = excluded.payload,
                        expires_at = excluded.expires_at"
                ),
            );
        }
        if removed().next().is_some() {
            let sagas = self.param(column!(removed(), key => key.0.uuid()), Type::UUID_ARRAY);
            let ids = self.param(column!(removed(), key => key.1), Type::TEXT_ARRAY);
            self.part(
                "taken_up",
                &format!(
                    "DELETE FROM @.early_messages m USING moved, unnest({sagas}, {ids}) r (saga, message_id)
                     WHERE m.saga = r.saga AND m.message_id = r.message_id"
                ),
            );
        }
    }
}
