//! Commands: load, decide, append.
