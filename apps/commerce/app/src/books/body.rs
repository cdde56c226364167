//! What the write API takes.

use crate::http::CurrencyCode;
use commerce_domain::{
    books::{BookDetails, BookPatch},
    money::{Currency, Money},
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// A whole book.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BookBody {
    #[schema(min_length = 1, max_length = 500, example = "나의 문화유산답사기")]
    pub(super) title: String,
    /// One or several names, as printed.
    #[schema(min_length = 1, max_length = 500, example = "유홍준")]
    pub(super) author: String,
    /// ISBN-10 or ISBN-13 without dashes.
    #[serde(default)]
    #[schema(min_length = 10, max_length = 13, example = "9788936470012")]
    pub(super) isbn: Option<String>,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 10000)]
    pub(super) description: Option<String>,
    /// In minor units of the currency: won, cents.
    #[schema(minimum = 1, maximum = 1000000000, example = 15000)]
    pub(super) price: i64,
    #[serde(default = "krw")]
    #[schema(value_type = CurrencyCode, default = "KRW")]
    pub(super) currency: Currency,
    /// Of the first edition; negative before our era.
    #[serde(default)]
    #[schema(minimum = -3000, maximum = 9999, example = 1993)]
    pub(super) published_year: Option<i32>,
    /// A code such as `kor` or `en-US`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 35, example = "kor")]
    pub(super) language: Option<String>,
    /// Copies available from now on; unchanged if absent.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 4294967295i64, example = 100)]
    pub(super) stock: Option<u32>,
}

fn krw() -> Currency {
    Currency::Krw
}

impl BookBody {
    pub(super) fn details(&self) -> BookDetails {
        BookDetails {
            title: self.title.clone(),
            author: self.author.clone(),
            isbn: self.isbn.clone(),
            description: self.description.clone(),
            price: Money::new(self.price, self.currency),
            published_year: self.published_year,
            language: self.language.clone(),
        }
    }
}

/// The parts of a book to change. What is absent stays, `null` clears it where that is possible.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BookPatchBody {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500, nullable = false)]
    pub(super) title: Option<String>,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500, nullable = false)]
    pub(super) author: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 10, max_length = 13)]
    pub(super) isbn: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 10000)]
    pub(super) description: Option<Option<String>>,
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000000000, nullable = false)]
    pub(super) price: Option<i64>,
    /// Only together with a price.
    #[serde(default)]
    #[schema(value_type = Option<CurrencyCode>, nullable = false)]
    pub(super) currency: Option<Currency>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i32>, minimum = -3000, maximum = 9999)]
    pub(super) published_year: Option<Option<i32>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 35)]
    pub(super) language: Option<Option<String>>,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 4294967295i64, nullable = false)]
    pub(super) stock: Option<u32>,
}

/// Tells `null` from absent: serde asks only for members that are there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl BookPatchBody {
    /// `current` is the currency that the book has.
    pub(super) fn patch(&self, current: Currency) -> BookPatch {
        let currency = self.currency.unwrap_or(current);
        BookPatch {
            title: self.title.clone(),
            author: self.author.clone(),
            isbn: self.isbn.clone(),
            description: self.description.clone(),
            price: self.price.map(|amount| Money::new(amount, currency)),
            published_year: self.published_year,
            language: self.language.clone(),
        }
    }
}
