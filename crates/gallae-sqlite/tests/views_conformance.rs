//! Views, search and counters in SQLite pass the suites of their ports.

use gallae_conformance::{DurableHarness, Harness};
use gallae_sqlite::views::SqliteViews;
use tempfile::TempDir;

/// Stores in a directory each, which live as long as the harness of their case.
struct Sqlite(TempDir);

impl Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Harness for Sqlite {
    type Store = SqliteViews;

    async fn fresh(&self) -> SqliteViews {
        let directory = tempfile::tempdir_in(self.0.path()).unwrap();
        SqliteViews::open(directory.keep()).unwrap()
    }
}

impl DurableHarness for Sqlite {
    async fn reopen(&self, store: SqliteViews) -> SqliteViews {
        let directory = store.path().parent().unwrap().to_owned();
        drop(store);
        SqliteViews::open(directory).unwrap()
    }
}

gallae_conformance::view_store_suite!(Sqlite::new());
gallae_conformance::search_store_suite!(Sqlite::new());
gallae_conformance::counter_store_suite!(Sqlite::new());
gallae_conformance::view_store_durability_suite!(Sqlite::new());
