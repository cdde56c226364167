//! The shop over HTTP: every route through all layers, on the embedded stores.

mod bad_input;
mod books;
mod engines;
mod orders;
mod payments;
mod probes;
mod repeated;
mod sessions;
mod support;
mod tokens;
mod views;
