//! How thorough this run is to be.

/// Whether this run may take hours: `GALLAE_TIER=nightly` is set. Tests with a bounded and a thorough form ask it for the
/// number of their rounds; none leaves a check out because of it.
pub fn nightly() -> bool {
    std::env::var("GALLAE_TIER").is_ok_and(|tier| tier == "nightly")
}
