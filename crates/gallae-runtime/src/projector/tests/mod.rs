//! The projector's promises, on stores that fail on request.

mod exactly_once;
mod operations;
mod parking;
mod reading;
mod shelf;
mod takeover;
mod world;
