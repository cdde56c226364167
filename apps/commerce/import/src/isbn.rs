//! Book numbers: ISBN-13 rebuilt from the ISBN-10 that the file kept.

use std::fmt;

/// What the file says about a book's number.
///
/// The file's own `isbn13` column went through a float and lost its last digits, so it is never read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isbn {
    /// A number whose check digit is right.
    Valid(Isbn13),
    /// The column is empty.
    Missing,
    /// The column holds something whose check digit is wrong: kept as it stands, never guessed at.
    Invalid(String),
}

/// Thirteen digits with a correct check digit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isbn13([u8; 13]);

impl Isbn13 {
    /// The thirteen digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII digits are ever put in")
    }
}

impl fmt::Display for Isbn13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Isbn13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Isbn13({self})")
    }
}

/// Reads an ISBN-10 as the file holds it: without hyphens, and without the leading zeros that a spreadsheet took away.
pub fn from_isbn10(text: &str) -> Isbn {
    if text.is_empty() {
        return Isbn::Missing;
    }
    match checked_isbn10(text) {
        Some(digits) => Isbn::Valid(isbn13(&digits)),
        None => Isbn::Invalid(text.to_owned()),
    }
}

/// The ten places in ASCII, padded with zeros on the left, if the check digit is right.
fn checked_isbn10(text: &str) -> Option<[u8; 10]> {
    let text = text.as_bytes();
    let mut places = [b'0'; 10];
    places[10usize.checked_sub(text.len())?..].copy_from_slice(text);
    let mut sum = 0;
    for (index, place) in places.iter().enumerate() {
        let value = match place {
            b'0'..=b'9' => usize::from(place - b'0'),
            b'X' | b'x' if index == 9 => 10,
            _ => return None,
        };
        sum += value * (10 - index);
    }
    (sum % 11 == 0).then_some(places)
}

/// `978`, the first nine places, and the check digit of ISBN-13 (weights 1 and 3, modulo 10).
fn isbn13(isbn10: &[u8; 10]) -> Isbn13 {
    let mut digits = *b"9780000000000";
    digits[3..12].copy_from_slice(&isbn10[..9]);
    let sum: u32 = digits[..12]
        .iter()
        .enumerate()
        .map(|(index, digit)| u32::from(digit - b'0') * if index % 2 == 0 { 1 } else { 3 })
        .sum();
    digits[12] = b'0' + u8::try_from((10 - sum % 10) % 10).expect("a remainder of ten is one digit");
    Isbn13(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(text: &str) -> String {
        match from_isbn10(text) {
            Isbn::Valid(isbn) => isbn.to_string(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn rebuilds_what_the_float_lost() {
        // Printed on the books: The Hunger Games, To Kill a Mockingbird, Harry Potter and the Prisoner of Azkaban.
        assert_eq!(valid("439023483"), "9780439023481");
        assert_eq!(valid("61120081"), "9780061120084");
        assert_eq!(valid("043965548X"), "9780439655484");
        assert_eq!(valid("7442912"), "9780007442911");
    }

    #[test]
    fn never_guesses() {
        assert_eq!(from_isbn10(""), Isbn::Missing);
        for wrong in
            ["439023484", "X439023483", "43902348X9", "12345678901", "４３９０２３４８３", "0812971060"]
        {
            assert_eq!(from_isbn10(wrong), Isbn::Invalid(wrong.to_owned()));
        }
    }
}
