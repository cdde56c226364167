//! The suite of [`EventStore`](gallae_ports::EventStore).

mod append;
mod concurrency;
mod reading;
mod records;
mod retry;
mod subscription;

pub use append::*;
pub use concurrency::*;
pub use reading::*;
pub use records::*;
pub use retry::*;
pub use subscription::*;

/// Every case of the event store.
#[macro_export]
macro_rules! event_store_suite {
    ($harness:expr) => {
        $crate::__suite! { event_store, $harness, [
            an_append_says_where_its_events_stand,
            no_stream_refuses_a_stream_that_exists,
            an_exact_version_must_be_the_actual_one,
            any_version_appends_anywhere,
            any_version_without_a_record_is_invalid,
            a_stream_written_twice_is_invalid,
            guards_are_checked_and_not_written,
            streams_are_written_together_or_not_at_all,
            records_are_written_with_the_events_or_not_at_all,
            a_batch_that_writes_nothing_succeeds_at_the_head,
            a_stream_without_events_is_a_guard,
            a_megabyte_is_accepted_and_one_byte_more_is_refused,
            names_and_payloads_may_be_in_any_script,
            every_field_of_the_envelope_survives,

            one_conflict_among_a_hundred_fails_alone,
            one_of_many_simultaneous_takers_gets_a_claim,
            one_of_many_simultaneous_repeats_is_written,
            batches_are_taken_in_the_order_of_the_calls,
            a_batch_behind_a_failed_one_gets_a_conflict,
            a_dropped_append_is_still_written,
            readers_skip_nothing_under_64_appenders,

            a_stream_is_read_in_pages,
            the_log_is_read_in_pages,
            a_flow_is_read_in_pages,
            streams_are_listed_by_name,
            what_does_not_exist_is_empty,
            a_stream_of_100_000_events_is_read_through,
            a_sound_store_has_no_damage,
            a_store_has_an_id_and_answers,

            a_claim_is_held_until_it_is_released,
            a_claim_expires,
            a_claim_is_renewed_by_its_owner,
            a_claim_may_change_hands_within_a_batch,
            a_release_by_somebody_else_does_nothing,
            an_idempotency_key_is_used_once,
            an_idempotency_record_expires,
            a_message_is_applied_once_per_consumer,
            purge_drops_what_has_expired,

            a_repeated_batch_is_replayed,
            a_replay_comes_before_every_other_refusal,
            a_replay_knows_the_versions_of_every_stream,
            a_repeated_batch_at_any_version_is_replayed,
            another_event_at_the_same_place_is_a_conflict,

            a_subscription_goes_from_history_to_live,
            a_subscription_sleeps_through_no_commit,
            a_subscription_starts_anywhere,
            a_subscription_holds_a_page_at_most,
            a_slow_subscriber_holds_up_nobody,
            a_dropped_subscriber_is_missed_by_nobody,
            a_subscription_beyond_the_head_fails,
        ] }
    };
}
