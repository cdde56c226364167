//! The engines under the suite: the embedded ones, in the shop's own folder.

pub(crate) struct Engines;

impl Engines {
    /// Connections of each kind that there are from the start.
    pub(crate) fn kept_open() -> u64 {
        1
    }
    pub(crate) const POOLS: &[(&str, &str)] =
        &[("log", "write"), ("log", "read"), ("views", "write"), ("views", "read")];

    pub(crate) fn fresh() -> Self {
        Self
    }

    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
