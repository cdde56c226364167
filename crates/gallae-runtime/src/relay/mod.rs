//! The log to the broker.
