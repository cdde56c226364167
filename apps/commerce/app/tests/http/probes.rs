//! What an operator looks at when something is slow.

use crate::{engines::Engines, support::Api};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_log_and_views_are_shown() {
    let api = Api::open().await;
    let reply = api.get("/db-pool", "").await.expect(200);
    let pools = reply.json["pools"].as_array().unwrap();
    let named: Vec<_> =
        pools.iter().map(|pool| (pool["name"].as_str().unwrap(), pool["role"].as_str().unwrap())).collect();
    assert_eq!(named, Engines::POOLS);
    let figure = |pool: &Value, name: &str| pool[name].as_u64().unwrap();
    for pool in pools {
        assert!(figure(pool, "size") >= Engines::kept_open(), "{pool}");
        assert_eq!(figure(pool, "idle") + figure(pool, "inUse"), figure(pool, "size"), "{pool}");
    }
}
