//! What the catalogue says about a book.

use super::BookRejection;
use crate::money::Money;
use serde::{Deserialize, Deserializer, Serialize};

/// Everything the catalogue says about a book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookDetails {
    /// 1 to 500 characters.
    pub title: String,
    /// One or several names, as printed; 1 to 500 characters.
    pub author: String,
    /// ISBN-10 or ISBN-13 without dashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isbn: Option<String>,
    /// At most 10,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What one copy costs; more than nothing.
    pub price: Money,
    /// Of the first edition; negative before our era.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_year: Option<i32>,
    /// A code such as `eng` or `en-US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// The details to change. An absent member stays as it is, `null` clears it where that is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BookPatch {
    /// See [`BookDetails::title`].
    #[serde(default)]
    pub title: Option<String>,
    /// See [`BookDetails::author`].
    #[serde(default)]
    pub author: Option<String>,
    /// See [`BookDetails::isbn`].
    #[serde(default, deserialize_with = "present")]
    pub isbn: Option<Option<String>>,
    /// See [`BookDetails::description`].
    #[serde(default, deserialize_with = "present")]
    pub description: Option<Option<String>>,
    /// See [`BookDetails::price`].
    #[serde(default)]
    pub price: Option<Money>,
    /// See [`BookDetails::published_year`].
    #[serde(default, deserialize_with = "present")]
    pub published_year: Option<Option<i32>>,
    /// See [`BookDetails::language`].
    #[serde(default, deserialize_with = "present")]
    pub language: Option<Option<String>>,
}

/// Tells `null` from absent: serde asks only for members that are there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl BookPatch {
    /// `details` with the changes made.
    pub fn apply(&self, details: &BookDetails) -> BookDetails {
        let Self { title, author, isbn, description, price, published_year, language } = self.clone();
        let kept = details.clone();
        BookDetails {
            title: title.unwrap_or(kept.title),
            author: author.unwrap_or(kept.author),
            isbn: isbn.unwrap_or(kept.isbn),
            description: description.unwrap_or(kept.description),
            price: price.unwrap_or(kept.price),
            published_year: published_year.unwrap_or(kept.published_year),
            language: language.unwrap_or(kept.language),
        }
    }
}

impl BookDetails {
    /// The first unacceptable detail.
    pub(super) fn check(&self) -> Result<(), BookRejection> {
        let within = |text: &str, most: usize| !text.trim().is_empty() && text.chars().count() <= most;
        let optional = |text: &Option<String>, most| text.as_deref().is_none_or(|text| within(text, most));
        let checks = [
            (within(&self.title, 500), "title", "1 to 500 characters"),
            (within(&self.author, 500), "author", "1 to 500 characters"),
            (self.isbn.as_deref().is_none_or(is_isbn), "isbn", "10 or 13 digits without dashes"),
            (optional(&self.description, 10_000), "description", "1 to 10,000 characters, or absent"),
            (self.price.is_positive(), "price", "more than nothing"),
            (
                self.published_year.is_none_or(|year| (-3_000..=9_999).contains(&year)),
                "publishedYear",
                "-3000 to 9999",
            ),
            (optional(&self.language, 35), "language", "1 to 35 characters, or absent"),
        ];
        match checks.into_iter().find(|(acceptable, ..)| !acceptable) {
            Some((_, field, problem)) => Err(BookRejection::Invalid { field, problem }),
            None => Ok(()),
        }
    }
}

/// The shape alone: real catalogues hold numbers whose check digit is wrong.
fn is_isbn(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match text.len() {
        13 => digits(text),
        10 => {
            text.is_char_boundary(9)
                && digits(&text[..9])
                && text.ends_with(|c: char| c.is_ascii_digit() || c == 'X')
        }
        _ => false,
    }
}
