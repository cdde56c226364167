//! `user`: who is known, and who operates.

use gallae_cli::{Client, Exit, Failure, Output, Table, cell, query, segment, short_time, verbs::Context};
use gallae_http::auth::Secret;
use gallae_runtime::Roles;
use serde_json::{Value, json};
use std::io::{self, BufRead, IsTerminal};

#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Make a user
    #[command(after_help = "Without --password-stdin a password is made and shown once.\n\nExamples:\n  {bin} user create kim@example.com --first-name 민수 --last-name 김\n  {bin} user create boss@example.com --admin\n  echo \"$PASSWORD\" | {bin} user create kim@example.com --password-stdin")]
    Create {
        /// The address to log in with
        email: String,
        /// Given name
        #[arg(long, default_value = "User")]
        first_name: String,
        /// Family name
        #[arg(long, default_value = "")]
        last_name: String,
        /// Make an operator
        #[arg(long)]
        admin: bool,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List users by address
    #[command(after_help = "Examples:\n  {bin} user list --role admin\n  {bin} user list --limit 100 --json")]
    List {
        /// Only with this role: user or admin
        #[arg(long)]
        role: Option<String>,
        /// Which page, from 1
        #[arg(long, default_value_t = 1)]
        page: u32,
        /// Users a page, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show one user
    #[command(after_help = "Examples:\n  {bin} user show kim@example.com")]
    Show {
        /// Their address
        email: String,
    },
    /// Make a user an operator; counts from their next log-in on
    #[command(after_help = "Examples:\n  {bin} user grant-admin kim@example.com\n  {bin} user grant-admin kim@example.com --data-dir /srv/shop")]
    GrantAdmin {
        /// Their address
        email: String,
    },
    /// Make an operator a user again; counts from their next log-in on
    #[command(after_help = "Examples:\n  {bin} user revoke-admin kim@example.com")]
    RevokeAdmin {
        /// Their address
        email: String,
    },
}

impl User {
    pub(super) async fn run(&self, cx: Context<'_>) -> Result<Exit, Failure> {
        let connection = cx.connect(Roles { projector: true, ..Roles::NONE }).await?;
        let done = self.ask(&connection.client, cx.output).await;
        connection.close().await;
        done.map(|()| Exit::Done)
    }

    async fn ask(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Create { email, first_name, last_name, admin, password_stdin } => {
                let given = if *password_stdin { Some(read_password()?) } else { None };
                let password = given.clone().unwrap_or_else(Secret::random_password);
                let body = json!({
                    "email": email,
                    "firstName": first_name,
                    "lastName": last_name,
                    "password": password.reveal(),
                    "role": if *admin { "admin" } else { "user" },
                });
                let mut made = client.post("/admin/users", Some(&body)).await?;
                if given.is_none() {
                    made["password"] = json!(password.reveal());
                }
                output.give(&made, || created(&made))
            }
            Self::List { role, page, limit } => {
                let parameters = query(&[
                    ("role", role.clone()),
                    ("page", Some(page.to_string())),
                    ("limit", Some(limit.to_string())),
                ]);
                let found = client.get(&format!("/admin/users{parameters}")).await?;
                output.give(&found, || table(found["users"].as_array().into_iter().flatten()))?;
                output.note(format!("page {page} of {}, {} in all", cell(&found, "/totalPages"), cell(&found, "/total")));
                Ok(())
            }
            Self::Show { email } => {
                let found = client.get(&format!("/admin/users/{}", segment(email))).await?;
                output.give(&found, || table(std::iter::once(&found)))
            }
            Self::GrantAdmin { email } => change_role(client, output, email, "admin").await,
            Self::RevokeAdmin { email } => change_role(client, output, email, "user").await,
        }
    }
}

async fn change_role(client: &Client, output: &Output, email: &str, role: &str) -> Result<(), Failure> {
    let path = format!("/admin/users/{}/role", segment(email));
    let changed = client.post(&path, Some(&json!({ "role": role }))).await?;
    output.give(&changed, || {
        let [email, role] = ["/email", "/role"].map(|at| cell(&changed, at));
        match changed["changed"].as_bool() {
            Some(false) => format!("{email} is {role} already"),
            _ => format!("{email} is {role} from the next log-in on"),
        }
    })
}

fn read_password() -> Result<Secret, Failure> {
    if io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "--password-stdin shows what is typed: pipe the password in"));
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::because(Exit::Usage, "no password can be read", &error))?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

fn created(made: &Value) -> String {
    let [email, role] = ["/email", "/role"].map(|at| cell(made, at));
    match made["password"].as_str() {
        Some(password) => {
            format!("{email} is {role}, password {password}\nit is shown this once and kept nowhere")
        }
        None => format!("{email} is {role}"),
    }
}

fn table<'a>(users: impl Iterator<Item = &'a Value>) -> String {
    let mut table = Table::new(["address", "name", "role", "since", "id"]).or_say("no such user");
    for user in users {
        let name = ["firstName", "lastName"].map(|part| user[part].as_str().unwrap_or_default()).join(" ");
        table.row([
            cell(user, "/email"),
            name.trim().to_owned(),
            cell(user, "/role"),
            short_time(&cell(user, "/createdAt")),
            cell(user, "/id"),
        ]);
    }
    table.to_string()
}
