//! What a store's connections are doing.

/// A store that can tell how busy its connections are.
pub trait Pools: Send + Sync + 'static {
    /// The figures of this moment, one entry for each kind of connection. Taken without waiting, and without stopping anybody:
    /// figures of one entry may be a few calls apart.
    fn pools(&self) -> Vec<Pool>;
}

/// Connections of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What they reach, such as `log` or `views`.
    pub name: &'static str,
    /// What they are for.
    pub role: PoolRole,
    /// How many there are: idle or in use.
    pub size: usize,
    /// How many have nothing to do.
    pub idle: usize,
    /// How many are at work.
    pub in_use: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

/// What connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolRole {
    /// Changing what is stored.
    Write,
    /// Reading it.
    Read,
}

impl Pool {
    /// Figures of `size` connections, of which `in_use` are at work.
    pub fn new(name: &'static str, role: PoolRole, size: usize, in_use: usize, waiting: usize) -> Self {
        let in_use = in_use.min(size);
        Self { name, role, size, idle: size - in_use, in_use, waiting }
    }
}
