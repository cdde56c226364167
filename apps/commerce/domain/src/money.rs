//! Money: whole minor units of one currency, never a float.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The currencies the shop trades in, by their ISO 4217 codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Euro.
    Eur,
    /// Pound sterling.
    Gbp,
    /// Japanese yen.
    Jpy,
    /// South Korean won.
    Krw,
    /// United States dollar.
    Usd,
}

impl Currency {
    /// Every one, by code.
    pub const ALL: &'static [Self] = &[Self::Eur, Self::Gbp, Self::Jpy, Self::Krw, Self::Usd];

    /// Three letters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
            Self::Jpy => "JPY",
            Self::Krw => "KRW",
            Self::Usd => "USD",
        }
    }

    /// Decimal digits of the minor unit: 2 for pence, 0 for won.
    pub const fn minor_digits(self) -> u32 {
        match self {
            Self::Jpy | Self::Krw => 0,
            Self::Eur | Self::Gbp | Self::Usd => 2,
        }
    }

    const fn symbol(self) -> &'static str {
        match self {
            Self::Eur => "€",
            Self::Gbp => "£",
            Self::Jpy => "¥",
            Self::Krw => "₩",
            Self::Usd => "$",
        }
    }

    const fn minor_per_unit(self) -> i64 {
        10_i64.pow(self.minor_digits())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency { code: code.chars().take(16).collect() };
        Self::ALL.iter().copied().find(|known| known.code() == code).ok_or_else(unknown)
    }
}

/// An amount in minor units of its currency: `1500000 KRW` is ₩1,500,000, `255 GBP` is £2.55.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// Of what.
    pub currency: Currency,
}

/// Why an amount could not be computed or read. Amounts never wrap and never mix currencies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result does not fit 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// Two currencies met.
    #[error("{left} and {right} do not add up")]
    MixedCurrencies {
        /// One.
        left: Currency,
        /// The other.
        right: Currency,
    },
    /// No such currency is known here.
    #[error("{code:?} is not a currency of this shop")]
    UnknownCurrency {
        /// The text found.
        code: String,
    },
    /// The text is not a decimal amount of this currency.
    #[error("{text:?} is not an amount in {currency}")]
    NotAnAmount {
        /// The text found.
        text: String,
        /// The currency wanted.
        currency: Currency,
    },
}

impl Money {
    /// `amount` minor units of `currency`.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Reads a decimal such as `2.55`; digits beyond the minor unit must be zero.
    ///
    /// # Errors
    /// [`MoneyError::NotAnAmount`], [`MoneyError::Overflow`].
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let wrong = || MoneyError::NotAnAmount { text: text.chars().take(40).collect(), currency };
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (units, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if units.is_empty() || !all_digits(units) || !all_digits(fraction) {
            return Err(wrong());
        }
        let kept = fraction.len().min(currency.minor_digits() as usize);
        if fraction[kept..].bytes().any(|byte| byte != b'0') {
            return Err(wrong());
        }
        let padded =
            format!("{}{:0<width$}", units, &fraction[..kept], width = currency.minor_digits() as usize);
        let amount: i64 = padded.parse().map_err(|_| MoneyError::Overflow)?;
        Ok(Self::new(if negative { -amount } else { amount }, currency))
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`], [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.amount.checked_add(other.amount))
    }

    /// The difference; may be negative.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`], [`MoneyError::Overflow`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.amount.checked_sub(other.amount))
    }

    /// The price of `quantity` pieces.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn checked_mul(self, quantity: u32) -> Result<Self, MoneyError> {
        self.with(self.amount.checked_mul(i64::from(quantity)))
    }

    /// Whether it is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.amount > 0
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::MixedCurrencies { left: self.currency, right: other.currency })
    }

    fn with(self, amount: Option<i64>) -> Result<Self, MoneyError> {
        amount.map(|amount| Self { amount, ..self }).ok_or(MoneyError::Overflow)
    }
}

/// Symbol, thousands in groups, minor units: `₩1,500,000`, `£2.55`, `-$0.05`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_unit = self.currency.minor_per_unit().unsigned_abs();
        let amount = self.amount.unsigned_abs();
        let units = (amount / per_unit).to_string();
        f.write_str(if self.amount < 0 { "-" } else { "" })?;
        f.write_str(self.currency.symbol())?;
        for (index, digit) in units.chars().enumerate() {
            if index > 0 && (units.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        match self.currency.minor_digits() as usize {
            0 => Ok(()),
            width => write!(f, ".{:0width$}", amount % per_unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Currency::{Gbp, Krw, Usd};

    #[test]
    fn is_shown_with_symbol_groups_and_minor_units() {
        let shown = [
            (Money::new(1_500_000, Krw), "₩1,500,000"),
            (Money::new(255, Gbp), "£2.55"),
            (Money::new(-5, Usd), "-$0.05"),
            (Money::new(100_000, Gbp), "£1,000.00"),
            (Money::new(0, Krw), "₩0"),
            (Money::new(i64::MIN, Krw), "-₩9,223,372,036,854,775,808"),
        ];
        for (money, text) in shown {
            assert_eq!(money.to_string(), text);
        }
    }

    #[test]
    fn reads_decimals_exactly_or_not_at_all() {
        assert_eq!(Money::from_decimal("2.55", Gbp), Ok(Money::new(255, Gbp)));
        assert_eq!(Money::from_decimal("2.5", Gbp), Ok(Money::new(250, Gbp)));
        assert_eq!(Money::from_decimal("-11062.06", Gbp), Ok(Money::new(-1_106_206, Gbp)));
        assert_eq!(Money::from_decimal("15000.00", Krw), Ok(Money::new(15_000, Krw)));
        for bad in ["", ".5", "0.001", "1e3", "+1", "--1", "1,000", "２"] {
            assert!(matches!(Money::from_decimal(bad, Gbp), Err(MoneyError::NotAnAmount { .. })), "{bad:?}");
        }
        assert_eq!(Money::from_decimal("92233720368547758.08", Gbp), Err(MoneyError::Overflow));
    }

    #[test]
    fn never_wraps_and_never_mixes() {
        let most = Money::new(i64::MAX, Krw);
        assert_eq!(most.checked_add(Money::new(1, Krw)), Err(MoneyError::Overflow));
        assert_eq!(most.checked_mul(2), Err(MoneyError::Overflow));
        assert_eq!(Money::new(i64::MIN, Krw).checked_sub(Money::new(1, Krw)), Err(MoneyError::Overflow));
        let mixed = MoneyError::MixedCurrencies { left: Krw, right: Usd };
        assert_eq!(most.checked_add(Money::new(1, Usd)), Err(mixed));
    }

    #[test]
    fn travels_as_minor_units_and_code() {
        let text = serde_json::to_string(&Money::new(255, Gbp)).unwrap();
        assert_eq!(text, r#"{"amount":255,"currency":"GBP"}"#);
        assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), Money::new(255, Gbp));
        assert!(serde_json::from_str::<Money>(r#"{"amount":1,"currency":"XXX"}"#).is_err());
        assert!("krw".parse::<Currency>().is_err());
    }
}
