//! What the pools are doing, as the platform shows it.

use crate::{PoolFigures, Postgres};
use gallae_ports::{Pool, PoolRole, Pools};

impl Pools for Postgres {
    fn pools(&self) -> Vec<Pool> {
        let shown = |name, role, figures: PoolFigures| {
            Pool::new(name, role, figures.open, figures.open.saturating_sub(figures.idle), figures.waiting)
        };
        let figures = Postgres::pools(self);
        vec![
            shown("postgres", PoolRole::Write, figures.write),
            shown("postgres", PoolRole::Read, figures.read),
        ]
    }
}
