//! Promises of the saga engine, on a store in memory, with time that moves only when told.

mod crashes;
mod exploration;
mod flows;
mod interventions;
mod limits;
mod ownership;
mod shop;
mod world;
