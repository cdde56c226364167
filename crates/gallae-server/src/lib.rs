//! What a server on Gallae needs around its routes: configuration, engines, telemetry, health, the admin API, and a drain that
//! loses nothing.

pub mod config;
pub mod serve;
pub mod telemetry;
