//! The verbs of the platform, one file each, and what an application needs to add its own.
//!
//! Every verb speaks to the admin API and to nothing else. Where a server runs on the data directory it is asked by HTTP,
//! with the address and the token that it left there; where none runs, the application is opened in this process and its
//! routes are called directly. So a verb is written once, and does the same in both cases.
//!
//! ```text
//!                       ┌─ --url, or a server on the data directory ──► HTTP ──┐
//!   verb ──► client ────┤                                                      ├──► the same routes
//!                       └─ nobody holds the directory ──► opened in process ───┘
//! ```
//!
//! Data goes to standard output, everything else to standard error. Colour never carries a meaning of its own.

mod application;
mod client;
mod exit;
mod lines;
mod output;
mod progress;
mod table;
mod target;
pub mod verbs;

pub use application::{Application, Opened};
pub use client::{Client, Reply, query, segment};
pub use exit::{Exit, Failure};
pub use lines::{Frame, Frames, Lines};
pub use output::Output;
pub use progress::{Bar, human_duration};
pub use table::{Table, cell, grouped, short_time};
pub use target::{Connection, Target, connect};
