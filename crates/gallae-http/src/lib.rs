//! Axum glue for applications on Gallae.
//!
//! Everything that a route of such an application has in common: errors as problem+json with stable codes, strict JSON
//! bodies, request contexts with correlation and trace, idempotency keys, consistency tokens, entity tags, paging, tokens and
//! passwords, rate limits, and server-sent events that resume by position.

pub mod auth;
pub mod codes;
mod consistency;
mod context;
mod etag;
mod idempotency;
mod in_flight;
mod json;
mod paging;
mod path;
mod problem;
mod rate_limit;
mod security;
mod sse;

pub use codes::ErrorCode;
pub use consistency::{AtLeast, POSITION_HEADER, at_position};
pub use context::{ContextLayer, RequestContext, attach_context};
pub use etag::{EntityTag, IfMatch};
pub use idempotency::{IdempotencyKey, fingerprint, replayed_header};
pub use in_flight::{Flight, InFlight};
pub use json::{StrictJson, read_body};
pub use paging::{PageParams, StrictQuery};
pub use path::{StrictPath, StrictPath2};
pub use problem::{FieldError, Problem, ProblemBody, render_problems};
pub use rate_limit::{RateLimits, limit_rate};
pub use security::security_headers;
pub use sse::{follow, last_event_id};
