//! Periods of the civil calendar.

use gallae_core::Timestamp;
use jiff::{Span, ToSpan, Zoned, civil::Date, tz::TimeZone};

/// How far back the figures look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    /// By the hour.
    Today,
    /// From Monday, by the day.
    Week,
    /// By the day.
    Month,
    /// By the month.
    Year,
}

/// A period around an instant, and the one before it.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// Where the period before began.
    pub(super) before_from: Timestamp,
    /// As far into the period before as now is into this one, so that the two can be compared.
    pub(super) before_until: Timestamp,
    /// Where the buckets of the series start.
    pub(super) starts: Vec<Timestamp>,
}

impl Period {
    pub(super) const ALL: [Self; 4] = [Self::Today, Self::Week, Self::Month, Self::Year];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The width of a bucket, in a word.
    pub(super) const fn bucket(self) -> &'static str {
        match self {
            Self::Today => "hour",
            Self::Week | Self::Month => "day",
            Self::Year => "month",
        }
    }

    /// The period that holds `now`, in the days of `zone`.
    pub(super) fn around(self, now: Timestamp, zone: &TimeZone) -> Result<Bounds, jiff::Error> {
        let today = jiff::Timestamp::from_microsecond(now.as_micros())?.to_zoned(zone.clone()).date();
        let (first, length) = match self {
            Self::Today => (today, 1.day()),
            Self::Week => {
                let since_monday = today.weekday().to_monday_zero_offset();
                (today.checked_sub(i64::from(since_monday).days())?, 7.days())
            }
            Self::Month => (today.first_of_month(), 1.month()),
            Self::Year => (today.first_of_year(), 1.year()),
        };
        let start = |date: Date| date.to_zoned(zone.clone());
        let (from, until) = (start(first)?, start(first.checked_add(length)?)?);
        let before_from = micros(&start(first.checked_sub(length)?)?);
        let elapsed = now.since(micros(&from));
        Ok(Bounds {
            starts: self.starts(&from, &until)?,
            before_until: before_from.after(elapsed).min(micros(&from)),
            before_from,
            from: micros(&from),
            until: micros(&until),
        })
    }

    fn starts(self, from: &Zoned, until: &Zoned) -> Result<Vec<Timestamp>, jiff::Error> {
        let width: Span = match self {
            Self::Today => 1.hour(),
            Self::Week | Self::Month => 1.day(),
            Self::Year => 1.month(),
        };
        let mut starts = Vec::new();
        let mut at = from.clone();
        while at < *until {
            starts.push(micros(&at));
            at = at.checked_add(width)?;
        }
        Ok(starts)
    }
}

impl std::str::FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().copied().find(|period| period.as_str() == text);
        known.ok_or_else(|| "today, week, month or year".to_owned())
    }
}

fn micros(instant: &Zoned) -> Timestamp {
    Timestamp::from_micros(instant.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(period: Period, now: &str) -> Bounds {
        period.around(now.parse().unwrap(), &TimeZone::get("Asia/Seoul").unwrap()).unwrap()
    }

    #[test]
    fn a_day_is_the_shops_day() {
        // 00:30 on Thursday in Seoul is 15:30 on Wednesday in UTC.
        let today = bounds(Period::Today, "2026-11-18T15:30:00Z");
        assert_eq!(today.from.to_string(), "2026-11-18T15:00:00Z");
        assert_eq!(today.until.to_string(), "2026-11-19T15:00:00Z");
        assert_eq!(today.before_from.to_string(), "2026-11-17T15:00:00Z");
        assert_eq!(today.before_until.to_string(), "2026-11-17T15:30:00Z");
        assert_eq!(today.starts.len(), 24);
    }

    #[test]
    fn weeks_begin_on_monday_months_and_years_on_their_first() {
        let now = "2026-03-31T03:00:00Z";
        let week = bounds(Period::Week, now);
        assert_eq!((week.from.to_string().as_str(), week.starts.len()), ("2026-03-29T15:00:00Z", 7));
        let month = bounds(Period::Month, now);
        assert_eq!((month.from.to_string().as_str(), month.starts.len()), ("2026-02-28T15:00:00Z", 31));
        // February is shorter than what has passed of March: all of it counts.
        assert_eq!(month.before_until, month.from);
        let year = bounds(Period::Year, now);
        assert_eq!((year.from.to_string().as_str(), year.starts.len()), ("2025-12-31T15:00:00Z", 12));
    }

    #[test]
    fn a_day_with_a_lost_hour_has_twenty_three() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let day = Period::Today.around("2026-03-29T10:00:00Z".parse().unwrap(), &zone).unwrap();
        assert_eq!(day.starts.len(), 23);
    }
}
