//! The platform's routes and layers, on a platform in memory.

mod admin;
mod errors;
mod health;
mod layers;
mod once;
mod openapi;
mod probes;
mod sagas;
mod setup;
mod trace;
