//! What is ordered.

use axum::body::Bytes;
use std::fmt::Write;

/// The body of an order that nobody placed before.
pub(super) fn order(run: &str, number: u64, items: u32) -> Bytes {
    let mut body = String::with_capacity(96 + items as usize * 128);
    body.push_str(r#"{"items":["#);
    for item in 0..items {
        let separator = if item == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            r#"{separator}{{"productId":"bench-{run}-{number}-{item}","productName":"부하 시험 상품","quantity":1,"price":{}}}"#,
            1_000 + u64::from(item)
        );
    }
    body.push_str(r#"],"shippingAddress":"서울시 강남구 테헤란로 123"}"#);
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn orders_are_json_and_never_the_same() {
        let [first, second] = [1, 2].map(|number| order("r", number, 2));
        assert_ne!(first, second);
        let body: Value = serde_json::from_slice(&first).unwrap();
        assert_eq!(body["items"].as_array().unwrap().len(), 2);
        assert_eq!(body["items"][1]["productId"], "bench-r-1-1");
    }
}
