//! What the derives refuse, and how they say it; what they accept.
//!
//! After a deliberate change of a message, `TRYBUILD=overwrite cargo test -p gallae-macros --test compile` writes the new
//! `.stderr` files; read them before committing.

#[test]
fn mistakes_are_named_and_sound_enums_accepted() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/refused/*.rs");
    cases.pass("tests/accepted/*.rs");
}
