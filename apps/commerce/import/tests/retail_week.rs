//! A week of real invoices, counted.
//!
//! Every expected number was counted apart from this crate, by a script in another language over the same file that
//! follows the table of `commerce_import::retail`.

use commerce_import::Tally;
use commerce_import::payment::Outcome;
use commerce_import::retail::{self, Adjustment, Cancellation, Classified, Customer, Entry, Sale};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const FILE: &[u8] = include_bytes!("../../data/online-retail/online_retail_week.csv");

fn week() -> Classified {
    retail::classify(retail::read(FILE).unwrap())
}

fn sales(week: &Classified) -> impl Iterator<Item = &Sale> {
    week.entries.iter().filter_map(|entry| match entry {
        Entry::Sale(sale) => Some(sale),
        _ => None,
    })
}

fn cancellations(week: &Classified) -> impl Iterator<Item = &Cancellation> {
    week.entries.iter().filter_map(|entry| match entry {
        Entry::Cancellation(cancellation) => Some(cancellation),
        _ => None,
    })
}

fn adjustments(week: &Classified) -> impl Iterator<Item = &Adjustment> {
    week.entries.iter().filter_map(|entry| match entry {
        Entry::Adjustment(adjustment) => Some(adjustment),
        _ => None,
    })
}

#[test]
fn lines_become_invoices() {
    let sheet = retail::read(FILE).unwrap();
    assert_eq!((sheet.lines_in, sheet.invoices.len(), sheet.rejected.len()), (16_985, 757, 0));
    assert_eq!(sheet.invoices.iter().filter(|invoice| invoice.number.starts_with('C')).count(), 79);
    assert_eq!(sheet.invoices.iter().filter(|invoice| invoice.customer == Customer::Guest).count(), 122);
    let customers: BTreeSet<_> = sheet.invoices.iter().map(|invoice| invoice.customer.email()).collect();
    assert_eq!(customers.len(), 452 + 1, "452 customers and the guest");
    assert_eq!(sheet.invoices.iter().map(|invoice| invoice.lines.len()).max(), Some(675));
    let first = &sheet.invoices[0];
    assert_eq!((first.number.as_str(), first.placed_at), ("536365", 1_291_191_960_000_000));
    assert_eq!(
        (first.lines[0].number, first.lines[0].code.as_str(), first.lines[0].price),
        (2, "85123A", 255)
    );
}

#[test]
fn every_line_goes_to_one_place() {
    let week = week();
    let tally = week.tally();
    assert_eq!(tally, Tally { lines_in: 16_985, ordered: 16_617, refunded: 30, adjusted: 36, rejected: 302 });
    assert!(tally.adds_up());

    let mut numbers = BTreeSet::new();
    let ordered = sales(&week).flat_map(|sale| sale.lines.iter().map(|line| line.line));
    let refunded =
        cancellations(&week).flat_map(|cancellation| cancellation.lines.iter().map(|line| line.line));
    let adjusted = adjustments(&week).map(|adjustment| adjustment.line);
    let rejected = week.rejected.iter().map(|rejected| rejected.line);
    for line in ordered.chain(refunded).chain(adjusted).chain(rejected) {
        assert!(numbers.insert(line), "line {line} is used twice");
    }
    assert!(numbers.into_iter().eq(2..=16_986), "every line of the file is used");
}

#[test]
fn rejected_lines_have_reasons() {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for rejected in &week().rejected {
        *reasons.entry(rejected.reason.code()).or_default() += 1;
    }
    let expected = [
        ("CHARGE", 74),
        ("FREE", 81),
        ("GUEST_CANCELLATION", 20),
        ("NEVER_BOUGHT", 114),
        ("NEVER_SOLD", 9),
        ("NOT_ENOUGH_LEFT", 4),
    ];
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn money_and_units_add_up() {
    let week = week();
    assert_eq!(sales(&week).count(), 608);
    assert_eq!(sales(&week).map(Sale::total).sum::<i64>(), 31_488_745);
    let units = sales(&week).flat_map(|sale| &sale.lines).map(|line| u64::from(line.quantity)).sum::<u64>();
    assert_eq!(units, 137_752);
    let declined: Vec<i64> =
        sales(&week).filter(|s| s.payment == Outcome::Declined).map(Sale::total).collect();
    assert_eq!((declined.len(), declined.iter().sum()), (14, 331_855));
    assert_eq!(cancellations(&week).count(), 19);
    assert_eq!(cancellations(&week).map(Cancellation::total).sum::<i64>(), 84_457);
    assert_eq!(adjustments(&week).map(|a| u64::from(a.written_off)).sum::<u64>(), 1_682);
}

#[test]
fn refunds_never_exceed_what_was_bought_and_paid_before() {
    let week = week();
    let mut bought: HashMap<u64, (&str, u32, i64)> = HashMap::new();
    for entry in &week.entries {
        match entry {
            Entry::Sale(sale) if sale.payment == Outcome::Approved => {
                bought
                    .extend(sale.lines.iter().map(|l| (l.line, (l.code.as_str(), l.quantity, l.unit_price))));
            }
            Entry::Cancellation(cancellation) => {
                for line in &cancellation.lines {
                    for part in &line.parts {
                        let (code, left, price) = bought.get_mut(&part.line).expect("bought before");
                        assert_eq!((*code, *price), (line.code.as_str(), part.unit_price));
                        *left = left.checked_sub(part.quantity).expect("not more than bought");
                    }
                }
            }
            Entry::Sale(_) | Entry::Adjustment(_) => {}
        }
    }
}

#[test]
fn opening_stock_covers_the_file() {
    let week = week();
    assert_eq!(week.products.len(), 2_259);
    let mut stock: HashMap<&str, u64> =
        week.products.iter().map(|product| (product.code.as_str(), product.opening_stock)).collect();
    for line in sales(&week).flat_map(|sale| &sale.lines) {
        let left = stock.get_mut(line.code.as_str()).expect("every product sold is in the catalogue");
        *left = left.checked_sub(line.quantity.into()).expect("never short");
    }
    for adjustment in adjustments(&week) {
        let left =
            stock.get_mut(adjustment.code.as_str()).expect("every product adjusted is in the catalogue");
        *left = left.checked_sub(adjustment.written_off.into()).expect("never short");
    }
    let hanging_heart = week.products.iter().find(|product| product.code == "85123A").unwrap();
    assert_eq!(
        (hanging_heart.name.as_str(), hanging_heart.price),
        ("WHITE HANGING HEART T-LIGHT HOLDER", 255)
    );
}

#[test]
fn same_bytes_give_the_same_entries() {
    assert_eq!(week(), week());
}
