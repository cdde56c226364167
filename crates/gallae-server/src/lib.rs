//! Roles, configuration, telemetry, supervision, drain and the admin API.
