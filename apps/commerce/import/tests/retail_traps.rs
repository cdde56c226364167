//! Each trap of the retail file by itself, in a few lines of CSV.

use commerce_import::ReadError;
use commerce_import::payment::{self, Outcome};
use commerce_import::retail::{self, Classified, Customer, Entry, Product, Reason, RefundPart};
use std::io::{self, Read};

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";

/// Lines of `invoice,code,quantity,price,customer`, a minute apart; the first is line 2. (Of the invoice numbers below
/// 10, the fixed table declines 2.)
fn classify(lines: &[&str]) -> Classified {
    let mut csv = HEADER.to_owned();
    for (minute, line) in lines.iter().enumerate() {
        let [invoice, code, quantity, price, customer] =
            line.split(',').collect::<Vec<_>>().try_into().expect("five fields");
        csv.push_str(&format!(
            "\n{invoice},{code},LAMP,{quantity},2010-12-01T08:{minute:02}:00,{price},{customer},France"
        ));
    }
    let classified = retail::classify(retail::read(csv.as_bytes()).unwrap());
    assert!(classified.tally().adds_up(), "{classified:?}");
    classified
}

fn rejected(classified: &Classified) -> Vec<(u64, &'static str)> {
    classified.rejected.iter().map(|rejected| (rejected.line, rejected.reason.code())).collect()
}

fn refunds(classified: &Classified) -> Vec<Vec<RefundPart>> {
    let mut found = Vec::new();
    for entry in &classified.entries {
        if let Entry::Cancellation(cancellation) = entry {
            found.extend(cancellation.lines.iter().map(|line| line.parts.clone()));
        }
    }
    found
}

fn part(invoice: &str, line: u64, quantity: u32, unit_price: i64) -> RefundPart {
    RefundPart { invoice: invoice.to_owned(), line, quantity, unit_price }
}

#[test]
fn same_product_twice_stays_two_lines() {
    let classified = classify(&["1,71053,6,3.39,7", "1,71053,2,3.39,7"]);
    let Entry::Sale(sale) = &classified.entries[0] else { panic!("{classified:?}") };
    assert_eq!(
        sale.lines.iter().map(|line| (line.line, line.quantity)).collect::<Vec<_>>(),
        [(2, 6), (3, 2)]
    );
    assert_eq!((sale.total(), sale.placed_at), (8 * 339, 1_291_190_400_000_000));
    assert_eq!((sale.customer, sale.country.as_str()), (Customer::Known(7), "France"));
}

#[test]
fn charges_are_not_products_on_either_side() {
    let classified =
        classify(&["1,POST,1,18.0,7", "1,m,1,3.0,7", "C2,D,-1,27.5,7", "3,gift_0001_20,1,16.0,7"]);
    assert_eq!(rejected(&classified), [(2, "CHARGE"), (3, "CHARGE"), (4, "CHARGE"), (5, "CHARGE")]);
    assert!(
        classified.entries.is_empty() && classified.products.is_empty(),
        "an invoice of charges is no order"
    );
}

#[test]
fn prices_of_zero_and_below_are_not_sales() {
    let classified = classify(&["1,A1,1,0.0,7", "1,A1,1,-1.0,7", "1,A1,0,1.0,7", "1,A1,1,0.001,7"]);
    assert_eq!(
        rejected(&classified),
        [(2, "FREE"), (3, "FREE"), (4, "ZERO_QUANTITY"), (5, "FINER_THAN_A_PENNY")]
    );
}

#[test]
fn bad_debts_are_not_goods() {
    assert_eq!(
        rejected(&classify(&["A1,B,1,11062.06,", "A1,X9,1,-1.0,"])),
        [(2, "BAD_DEBT"), (3, "BAD_DEBT")]
    );
}

#[test]
fn negative_lines_adjust_stock_of_what_is_sold_anywhere_in_the_file() {
    let classified = classify(&["1,84952c,-38,0.0,", "2,84952C,60,2.0,7", "3,21653,-6,0.0,"]);
    assert_eq!(rejected(&classified), [(4, "NEVER_SOLD")]);
    let Entry::Adjustment(adjustment) = &classified.entries[0] else { panic!("{classified:?}") };
    assert_eq!((adjustment.code.as_str(), adjustment.written_off, adjustment.line), ("84952C", 38, 2));
    let product = Product { code: "84952C".into(), name: "LAMP".into(), price: 200, opening_stock: 100 };
    assert_eq!(classified.products, [product], "60 sold and 38 written off, rounded up");
}

#[test]
fn cancellation_takes_back_a_part_of_an_earlier_purchase() {
    let classified = classify(&["1,a1,10,2.00,7", "C2,A1,-4,2.00,7", "C3,A1,-6,2.00,7", "C4,A1,-1,2.00,7"]);
    assert_eq!(refunds(&classified), [vec![part("1", 2, 4, 200)], vec![part("1", 2, 6, 200)]]);
    assert_eq!(classified.rejected[0].reason, Reason::NotEnoughLeft { wanted: 1, left: 0 });
}

#[test]
fn cancellation_may_span_purchases_its_own_price_first_then_the_oldest() {
    let classified = classify(&["1,A1,3,2.00,7", "5,A1,3,2.50,7", "3,A1,3,1.00,7", "C4,A1,-7,2.50,7"]);
    assert_eq!(
        refunds(&classified),
        [vec![part("5", 3, 3, 250), part("1", 2, 3, 200), part("3", 4, 1, 100)]]
    );
}

#[test]
fn cancellation_is_refunded_whole_or_not_at_all() {
    let classified = classify(&["1,A1,3,2.00,7", "C2,A1,-4,2.00,7", "C3,A1,-3,2.00,7"]);
    assert_eq!(classified.rejected[0].reason, Reason::NotEnoughLeft { wanted: 4, left: 3 });
    assert_eq!(refunds(&classified), [vec![part("1", 2, 3, 200)]], "the rejected line took nothing");
}

#[test]
fn cancellation_without_an_earlier_purchase_is_rejected() {
    let lines = [
        "C1,A1,-1,2.00,7", // before the purchase
        "3,A1,1,2.00,7",
        "C3,A1,-1,2.00,8", // another customer
        "C4,B1,-1,2.00,7", // another product
        "5,A1,1,2.00,",
        "C6,A1,-1,2.00,", // nobody
        "C7,A1,1,2.00,7",
        "C8,A1,-1,0.0,7",
    ];
    let expected = [
        (2, "NEVER_BOUGHT"),
        (4, "NEVER_BOUGHT"),
        (5, "NEVER_BOUGHT"),
        (7, "GUEST_CANCELLATION"),
        (8, "POSITIVE_CANCELLATION"),
        (9, "FREE"),
    ];
    assert_eq!(rejected(&classify(&lines)), expected);
}

#[test]
fn what_was_never_paid_is_not_refunded() {
    assert_eq!(payment::outcome("536396"), Outcome::Declined);
    let unpaid = classify(&["536396,A1,5,2.00,7", "C2,A1,-5,2.00,7"]);
    assert_eq!(rejected(&unpaid), [(3, "PURCHASE_DECLINED")]);
    let both = classify(&["536396,A1,5,2.00,7", "536365,A1,5,2.00,7", "C2,A1,-5,2.00,7"]);
    assert_eq!(refunds(&both), [vec![part("536365", 3, 5, 200)]]);
}

#[test]
fn earlier_means_by_time_not_by_line() {
    let csv = format!(
        "{HEADER}\nC1,A1,X,-1,2010-12-02T00:00:00,2.0,7,France\n5,A1,X,1,2010-12-01T00:00:00,2.0,7,France\n"
    );
    let classified = retail::classify(retail::read(csv.as_bytes()).unwrap());
    assert_eq!(refunds(&classified), [vec![part("5", 3, 1, 200)]]);
}

#[test]
fn lines_of_an_invoice_are_gathered_from_anywhere_but_for_one_customer() {
    let classified = classify(&["1,A1,1,2.00,7", "2,A1,1,2.00,8", "1,B1,1,2.00,7", "1,C1,1,2.00,8"]);
    assert_eq!(rejected(&classified), [(5, "OTHER_CUSTOMER")]);
    let Entry::Sale(sale) = &classified.entries[0] else { panic!("{classified:?}") };
    assert_eq!(sale.lines.iter().map(|line| line.line).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn guests_share_one_address() {
    assert_eq!(Customer::Guest.email(), "guest@example.com");
    assert_eq!(Customer::Known(17850).email(), "customer-17850@example.com");
}

#[test]
fn fields_that_do_not_parse_reject_their_line_alone() {
    let classified = classify(&[
        "1,A1,1,2.00,7",
        ",A1,1,2.00,7",
        "1,,1,2.00,7",
        "1,A1,1.5,2.00,7",
        "1,A1,1,2.0.0,7",
        "1,A1,1,2.00,x",
        "1,A1,100001,2.00,7",
        "1,A1,1,100000.01,7",
        "1,A1,-9223372036854775808,2.00,7",
    ]);
    let expected = [
        (3, "BAD_FIELD"),
        (4, "BAD_FIELD"),
        (5, "BAD_FIELD"),
        (6, "BAD_FIELD"),
        (7, "BAD_FIELD"),
        (8, "OUT_OF_BOUNDS"),
        (9, "OUT_OF_BOUNDS"),
        (10, "OUT_OF_BOUNDS"),
    ];
    assert_eq!(rejected(&classified), expected);
    assert_eq!(classified.tally().ordered, 1);
}

#[test]
fn records_that_are_not_csv_or_not_utf8_are_rejected_with_their_line() {
    let mut csv = format!("{HEADER}\n1,A1,X,1,2010-12-01T08:26:00,2.0,7,France\nshort,line\n").into_bytes();
    csv.extend_from_slice(b"1,A1,\xff,1,2010-12-01T08:26:00,2.0,7,France\n1,A1,X,1,yesterday,2.0,7,France\n");
    let classified = retail::classify(retail::read(csv.as_slice()).unwrap());
    assert_eq!(rejected(&classified), [(3, "UNREADABLE"), (4, "UNREADABLE"), (5, "BAD_FIELD")]);
    assert!(classified.tally().adds_up());
}

#[test]
fn a_file_that_breaks_off_is_an_error_not_a_short_file() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk gone"))
        }
    }
    let start = format!("{HEADER}\n1,A1,X,1,2010-12-01T08:26:00,2.0,7,France\n");
    let fault = retail::read(start.as_bytes().chain(Broken)).unwrap_err();
    assert!(matches!(fault, ReadError::Io(_)), "{fault}");
}
