//! Opening says what is wrong in one sentence, and does no harm.

mod support;

use gallae_postgres::{OpenError, Settings};
use support::{TestDatabase, open, server, try_open};

#[tokio::test]
async fn nodes_that_start_together_migrate_once() {
    let database = TestDatabase::create().await;
    let opened = futures::future::join_all((0..3).map(|_| try_open(database.settings()))).await;
    for opened in opened {
        opened.unwrap_or_else(|error| panic!("{error}: {error:?}"));
    }
    open(database.settings()).await;
}

#[tokio::test]
async fn every_reason_not_to_open_has_its_sentence() {
    let database = TestDatabase::create().await;
    open(database.settings()).await;
    database.execute("INSERT INTO gallae.gallae_migrations VALUES (99); CREATE SCHEMA theirs; CREATE TABLE theirs.orders (x int)").await;
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = database.settings();
        change(&mut settings);
        settings
    };
    let sentence = async |settings| try_open(settings).await.unwrap_err().to_string();

    let error = try_open(database.settings()).await.unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 99, .. }), "{error:?}");
    let foreign = sentence(with(&|settings| settings.schema = "theirs".to_owned())).await;
    assert!(foreign.contains("holds orders, which this program did not make"), "{foreign}");
    let elsewhere =
        with(&|settings| settings.write_url = "postgres://app:s3cret@127.0.0.1:1/shop".to_owned());
    let unreachable = sentence(elsewhere).await;
    assert!(unreachable.contains("cannot be reached at 127.0.0.1:1/shop"), "{unreachable}");
    let missing =
        sentence(with(&|settings| settings.write_url = server().replace("/postgres?", "/none?") + "x")).await;
    assert!(missing.contains("has no database"), "{missing}");
}
