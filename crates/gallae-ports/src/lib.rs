//! The traits between the runtime and what it runs on, and their specifications.
