//! The suite of `tests/http`, from the same source, on PostgreSQL.

mod engines;

#[path = "../http/bad_input.rs"]
mod bad_input;
#[path = "../http/books.rs"]
mod books;
#[path = "../http/orders.rs"]
mod orders;
#[path = "../http/payments.rs"]
mod payments;
#[path = "../http/probes.rs"]
mod probes;
#[path = "../http/repeated.rs"]
mod repeated;
#[path = "../http/sessions.rs"]
mod sessions;
#[path = "../http/support.rs"]
mod support;
#[path = "../http/tokens.rs"]
mod tokens;
#[path = "../http/views.rs"]
mod views;
