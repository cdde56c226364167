//! Events into views, search and counters.
