//! Where a page ended, in a form that a client can carry: hexadecimal JSON.

use super::trouble::Trouble;
use gallae_core::FieldValue;
use gallae_ports::Order;
use serde::{Deserialize, Serialize};

/// The last row of a page and the order in which it was last.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PageCursor {
    order: Option<(String, bool)>,
    pub(super) value: FieldValue,
    pub(super) key: String,
}

impl PageCursor {
    pub(super) fn new(order: Option<Order>, value: FieldValue, key: &str) -> Self {
        let order = order.map(|order| (order.field.to_owned(), order.descending));
        Self { order, value, key: key.to_owned() }
    }

    pub(super) fn encode(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let json = serde_json::json!([self.order, self.value, self.key]).to_string();
        let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
        json.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// Reads what [`encode`](Self::encode) wrote for a query in the same order.
    pub(super) fn decode(text: &str, order: Option<Order>) -> Result<Self, Trouble> {
        let wrong =
            || Trouble::wrong("the page's cursor was not given out by this query: start at the first page");
        let pairs = text.as_bytes().chunks(2);
        let byte =
            |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let json: Option<Vec<u8>> = pairs.map(byte).collect();
        let (made_in, value, key) = json
            .and_then(|json| {
                serde_json::from_slice::<(Option<(String, bool)>, FieldValue, String)>(&json).ok()
            })
            .ok_or_else(wrong)?;
        let cursor = Self::new(order, value, &key);
        if cursor.order == made_in { Ok(cursor) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWEST: Option<Order> = Some(Order { field: "placed_at", descending: true });

    #[test]
    fn comes_back_as_it_went() {
        for value in [FieldValue::Null, FieldValue::Integer(-5), FieldValue::from("강남 \"")] {
            let cursor = PageCursor::new(NEWEST, value, "order-1");
            assert_eq!(PageCursor::decode(&cursor.encode(), NEWEST).unwrap(), cursor);
        }
    }

    #[test]
    fn what_another_query_or_nobody_gave_out_is_refused() {
        let good = PageCursor::new(NEWEST, FieldValue::Integer(1), "a").encode();
        let oldest = Some(Order { field: "placed_at", descending: false });
        for (text, order) in [
            (&*good, oldest),
            (&good, None),
            ("", NEWEST),
            ("zz", NEWEST),
            (&good[1..], NEWEST),
            ("책", NEWEST),
        ] {
            assert!(PageCursor::decode(text, order).is_err(), "{text} {order:?}");
        }
    }
}
