//! Every port embedded in SQLite: the default for a first run and for small deployments.

pub mod views;
