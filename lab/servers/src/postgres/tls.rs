//! A certificate of one's own, made by the program `openssl`.

use crate::{ServerError, account::Account, tool};
use std::path::{Path, PathBuf};

const DAYS: &str = "30";
const NAMES: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/// The certificate of the authority, for clients to trust.
pub(super) fn authority(folder: &Path) -> PathBuf {
    folder.join("authority.crt")
}

/// An authority, and a certificate of the server that it signed: a client that is strict takes no certificate for both.
pub(super) fn make(folder: &Path, account: &Account) -> Result<(), ServerError> {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let request = |key: &str, certificate: &str, more: &[&str]| {
        let mut command = account.command(Path::new("openssl"));
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", DAYS, "-keyout", &path(key), "-out", &path(certificate)]).args(more);
        tool::run(&mut command)
    };
    let signed_by = ["-CA", &path("authority.crt"), "-CAkey", &path("authority.key")];
    request("authority.key", "authority.crt", &["-subj", "/CN=gallae lab authority"])?;
    let of_server =
        ["-subj", "/CN=localhost", "-addext", NAMES, "-addext", "basicConstraints=critical,CA:FALSE"];
    request("server.key", "server.crt", &[&of_server[..], &signed_by[..]].concat())
}

/// What [`make`] made for another server, which goes under the same names.
pub(super) fn copy(from: &Path, to: &Path, account: &Account) -> Result<(), ServerError> {
    for name in ["authority.crt", "server.crt", "server.key"] {
        // With its mode: a key that others may read is refused.
        let copied = std::fs::copy(from.join(name), to.join(name));
        copied.map_err(ServerError::system(format!("copy the primary's {name}")))?;
        account.own(&to.join(name))?;
    }
    Ok(())
}

pub(super) fn settings(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!("ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n", path("server.crt"), path("server.key"))
}
