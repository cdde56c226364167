//! The data that the program carries. Licences and sources are in `NOTICE`.

/// A thousand books of goodbooks-10k.
pub const BOOKS: &[u8] = include_bytes!("../../../data/books/books.csv");
/// Its name.
pub const BOOKS_FILE: &str = "books.csv";
/// A week of the Online Retail data set.
pub const RETAIL_WEEK: &[u8] = include_bytes!("../../../data/online-retail/online_retail_week.csv");
/// Its name.
pub const RETAIL_WEEK_FILE: &str = "online_retail_week.csv";
