//! How busy the views' connections are.

use super::SqliteViews;
use gallae_ports::{Pool, Pools};

const NAME: &str = "views";

impl Pools for SqliteViews {
    fn pools(&self) -> Vec<Pool> {
        vec![self.inner.writer.figures(NAME), self.inner.readers.figures(NAME)]
    }
}
