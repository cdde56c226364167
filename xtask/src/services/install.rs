//! Installing servers with apt-get, so that they are there and do not run by themselves.

use crate::process::{self, Failure};
use gallae_lab_servers::{Package, is_debian};
use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    process::Command,
};

/// Debian's own switch: while it exists and says 101, no package starts its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing of `packages`. Says first what it will do, and asks unless `yes`.
pub(crate) fn install(packages: &[Package], yes: bool) -> Result<(), Failure> {
    let missing: Vec<_> = packages.iter().filter(|package| !package.missing().is_empty()).copied().collect();
    let names: Vec<_> = packages.iter().map(|package| package.name).collect();
    if missing.is_empty() {
        println!("already installed: {}", names.join(", "));
        return Ok(());
    }
    if !is_debian() {
        return Err(Failure::new(by_hand(&missing, |package| package.elsewhere.to_owned())));
    }
    let Some(prefix) = as_root() else {
        return Err(Failure::new(by_hand(&missing, |package| {
            format!("sudo apt-get install --no-install-recommends {}", package.debian)
        })));
    };
    let plan = Plan::of(
        &missing,
        process::works(Command::new("systemctl").arg("--version")),
        Path::new(POLICY).exists(),
    );
    println!("To install {}, this will run as root:", list(&missing, |package| package.name));
    plan.commands().for_each(|words| println!("    {}", words.join(" ")));
    println!("The services themselves are not started, now or with the machine; tests start their own.");
    if !yes {
        agree()?;
    }
    plan.carry_out(prefix)?;
    let still: Vec<_> = missing.iter().flat_map(Package::missing).collect();
    if still.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("the packages are installed, but do not hold {}", still.join(", "))))
}

fn by_hand(missing: &[Package], command: impl Fn(&Package) -> String) -> String {
    let commands: String = missing.iter().map(|package| format!("\n    {}", command(package))).collect();
    let names = list(missing, |package| package.name);
    format!(
        "{names}: cannot be installed from here (that takes Debian or Ubuntu, and root). Install by hand:{commands}"
    )
}

fn list(packages: &[Package], name: impl Fn(&Package) -> &'static str) -> String {
    packages.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// What to put before a command so that it runs as root; `None` where nothing does without asking for a password.
fn as_root() -> Option<&'static [&'static str]> {
    let me = Command::new("id").arg("-u").output().ok()?;
    if me.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    process::works(Command::new("sudo").args(["--non-interactive", "true"]))
        .then_some(&["sudo", "--non-interactive"])
}

fn agree() -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new("nobody is here to be asked: add --yes if that is what you want"));
    }
    print!("Go on? [y/N] ");
    let _ = io::stdout().flush();
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(format!("cannot read the answer: {error}")))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new("nothing was changed")),
    }
}

/// Commands, as one would type them.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    before: Vec<Vec<String>>,
    install: Vec<Vec<String>>,
    /// Runs even when the installation failed.
    after: Vec<Vec<String>>,
}

impl Plan {
    fn of(missing: &[Package], systemd: bool, policy: bool) -> Self {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut plan = Self { before: Vec::new(), install: Vec::new(), after: Vec::new() };
        if !policy {
            let script = format!("printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}");
            plan.before.push(vec!["sh".to_owned(), "-c".to_owned(), script]);
            plan.after.push(words(&format!("rm -f {POLICY}")));
        }
        if systemd {
            // First, while the switch still holds.
            let units: Vec<_> = missing.iter().flat_map(|package| package.units).copied().collect();
            plan.after.insert(0, words(&format!("systemctl mask {}", units.join(" "))));
        }
        plan.install.push(words("apt-get update"));
        let packages = list(missing, |package| package.debian);
        let install = "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends";
        plan.install.push(words(&format!("{install} {packages}")));
        plan
    }

    fn commands(&self) -> impl Iterator<Item = &Vec<String>> {
        self.before.iter().chain(&self.install).chain(&self.after)
    }

    fn carry_out(&self, prefix: &[&str]) -> Result<(), Failure> {
        let all = |commands: &[Vec<String>]| commands.iter().try_for_each(|words| run(prefix, words));
        let installed = all(&self.before).and_then(|()| all(&self.install));
        installed.and(all(&self.after))
    }
}

fn run(prefix: &[&str], words: &[String]) -> Result<(), Failure> {
    let mut all = prefix.iter().copied().chain(words.iter().map(String::as_str));
    let program = all.next().unwrap_or_default();
    process::run(Command::new(program).args(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gallae_lab_servers::{NGINX, PGBOUNCER};

    fn lines(plan: &Plan) -> Vec<String> {
        plan.commands().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn what_is_installed_does_not_run_by_itself() {
        let lines = lines(&Plan::of(&[PGBOUNCER, NGINX], true, false));
        assert!(lines[0].contains("exit 101"), "{lines:?}");
        assert_eq!(lines[1], "apt-get update");
        assert!(lines[2].ends_with("--no-install-recommends pgbouncer nginx-light"), "{lines:?}");
        assert_eq!(lines[3], "systemctl mask pgbouncer.service nginx.service");
        assert_eq!(lines[4], "rm -f /usr/sbin/policy-rc.d");
    }

    #[test]
    fn a_policy_that_is_there_is_neither_made_nor_removed() {
        let lines = lines(&Plan::of(&[NGINX], false, true));
        assert_eq!(lines.len(), 2, "{lines:?}");
    }

    #[test]
    fn the_switch_is_put_back_when_the_installation_fails() {
        let mark = std::env::temp_dir().join(format!("gallae-xtask-{}", std::process::id()));
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let plan = Plan {
            before: vec![vec!["touch".to_owned(), mark.display().to_string()]],
            install: vec![words("false"), words("exit never reached")],
            after: vec![vec!["rm".to_owned(), mark.display().to_string()]],
        };
        let failure = plan.carry_out(&[]).unwrap_err().to_string();
        assert!(failure.contains("false"), "{failure}");
        assert!(!mark.exists());
    }

    #[test]
    fn elsewhere_the_command_is_named() {
        let words = by_hand(&[NGINX], |package| package.elsewhere.to_owned());
        assert!(words.starts_with("nginx: cannot be installed from here"), "{words}");
        assert!(words.ends_with("brew install nginx"), "{words}");
    }
}
