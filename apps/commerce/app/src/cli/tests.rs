use super::*;

#[test]
fn the_command_line_is_well_formed() {
    command().debug_assert();
}

/// Every verb that does something shows how.
#[test]
fn every_help_teaches_by_example() {
    fn examine(command: &clap::Command, path: &str) {
        let leaf = command.get_subcommands().next().is_none();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(!leaf || help.contains("Examples:\n  commerce ") || help.contains("commerce "), "{path} has no example");
        assert!(!help.contains("{bin}"), "{path} does not name the program");
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            examine(verb, &format!("{path} {}", verb.get_name()));
        }
    }
    examine(&command(), "commerce");
}

#[test]
fn flags_that_other_programs_rely_on_are_understood() {
    for line in [
        "commerce serve --data-dir d --listen 127.0.0.1:0",
        "commerce serve --data-dir d --demo-catalogue books.csv",
        "commerce user grant-admin a@b.c --data-dir d",
        "commerce --json doctor",
        "commerce order list --json --url http://x:1 --token t",
    ] {
        assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
    }
    assert!(Cli::try_parse_from(["commerce", "projection", "rebuild"]).is_err(), "it needs a name or --all");
}

#[test]
fn the_help_names_the_exit_codes() {
    insta::assert_snapshot!(command().render_help());
}
