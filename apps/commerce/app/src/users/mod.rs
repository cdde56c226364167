//! Who buys and who operates: registration, sessions, roles.

mod body;
mod operators;
mod register;
mod routes;

pub use register::{NewUser, RegisterError, RoleError, change_role, id_of, register};
pub(crate) use operators::routes as operators;
pub(crate) use routes::{aliases, routes};
