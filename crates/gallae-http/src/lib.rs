//! Axum glue: commands, idempotency keys, consistency tokens, problem+json, server-sent events, authentication.
