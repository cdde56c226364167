//! How the payment of an imported invoice ends: a fixed table, so that every import of a file has the same outcome.

/// The end of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is authorised and captured.
    Approved,
    /// The provider says no, and the order ends cancelled.
    Declined,
}

/// Out of a hundred invoices, about this many are declined.
const DECLINED_PERCENT: u64 = 2;

/// The outcome for an invoice number: declined when the 64-bit FNV-1a hash of its UTF-8 bytes, modulo 100, is below 2.
///
/// FNV-1a is written out here because the table must be the same on every machine and after every upgrade of a library.
pub fn outcome(invoice: &str) -> Outcome {
    match fnv1a(invoice.as_bytes()) % 100 < DECLINED_PERCENT {
        true => Outcome::Declined,
        false => Outcome::Approved,
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_fnv1a() {
        // Vectors published with the algorithm.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn declines_about_two_percent_of_real_invoice_numbers() {
        let numbers = 536_365..581_588;
        let declined = numbers.clone().filter(|n| outcome(&n.to_string()) == Outcome::Declined).count();
        let percent = declined as f64 * 100.0 / numbers.len() as f64;
        assert!((1.5..2.5).contains(&percent), "{percent} %");
        assert_eq!(outcome("536396"), Outcome::Declined);
        assert_eq!(outcome("536365"), Outcome::Approved);
    }
}
