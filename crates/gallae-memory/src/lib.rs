//! Every port in memory: for tests, and in production the in-process broker and locks of the embedded profile.
