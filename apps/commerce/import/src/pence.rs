//! Pounds in decimal text to pence, without passing through a float.

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PenceError {
    NotAnAmount,
    FinerThanAPenny,
}

/// `12`, `12.5`, `12.50`, `-12.500` to pence. More than two decimals are refused unless they are zeros.
pub(crate) fn parse(text: &str) -> Result<i64, PenceError> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (pounds, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(pounds) || !all_digits(decimals) {
        return Err(PenceError::NotAnAmount);
    }
    let (kept, lost) = decimals.split_at(decimals.len().min(2));
    if lost.bytes().any(|b| b != b'0') {
        return Err(PenceError::FinerThanAPenny);
    }
    let pounds: i64 = pounds.parse().map_err(|_| PenceError::NotAnAmount)?;
    let pence: i64 = kept.parse().map_err(|_| PenceError::NotAnAmount)?;
    let pence = if kept.len() == 1 { pence * 10 } else { pence };
    pounds
        .checked_mul(100)
        .and_then(|pounds| pounds.checked_add(pence))
        .map(|total| sign * total)
        .ok_or(PenceError::NotAnAmount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_decimal_text_exactly() {
        for (text, pence) in [
            ("2.55", 255),
            ("27.5", 2750),
            ("0.0", 0),
            ("8", 800),
            ("13541.33", 1_354_133),
            ("-11062.06", -1_106_206),
        ] {
            assert_eq!(parse(text), Ok(pence), "{text}");
        }
        assert_eq!(parse("1.2900"), Ok(129));
        assert_eq!(parse("0.001"), Err(PenceError::FinerThanAPenny));
        for text in [
            "",
            ".",
            "-",
            "1.",
            ".5",
            "1,5",
            "1e3",
            "--1",
            "+1",
            "NaN",
            "99999999999999999999",
            "92233720368547758.08",
        ] {
            assert_eq!(parse(text), Err(PenceError::NotAnAmount), "{text}");
        }
    }
}
