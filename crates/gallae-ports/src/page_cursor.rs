//! Where a page ended, in a form that a client can carry: hexadecimal JSON.

use crate::{Mismatch, Order};
use gallae_core::FieldValue;

/// The last row of a page and the order in which it was last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCursor {
    order: Option<(String, bool)>,
    /// The row's value of the field that orders; none if the key alone does.
    pub value: FieldValue,
    /// The row's key.
    pub key: String,
}

impl PageCursor {
    /// The place of a row in an order.
    pub fn new(order: Option<Order>, value: FieldValue, key: &str) -> Self {
        let order = order.map(|order| (order.field.to_owned(), order.descending));
        Self { order, value, key: key.to_owned() }
    }

    /// As a client carries it.
    pub fn encode(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let json = serde_json::json!([self.order, self.value, self.key]).to_string();
        let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
        json.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// Reads what [`encode`](Self::encode) wrote for a query in the same order.
    ///
    /// # Errors
    /// When it is something else, or was written for another order.
    pub fn decode(text: &str, order: Option<Order>) -> Result<Self, Mismatch> {
        let wrong = || {
            Mismatch("the page's cursor was not given out by this query: start at the first page".to_owned())
        };
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
