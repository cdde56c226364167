use crate::ServerError;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A loopback address that was free when asked. Another may take it before the server does: start again then.
pub(crate) fn free_address() -> Result<SocketAddr, ServerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map_err(ServerError::system("find a free port"))
}

/// Somebody else may take a port between our asking and the server's.
const TRIED: u32 = 5;

/// Starts a server on a free address; on another one when it was taken in between.
pub(crate) fn on_free_port<T>(
    start: impl Fn(SocketAddr) -> Result<T, ServerError>,
) -> Result<(T, SocketAddr), ServerError> {
    let mut tried = 1;
    loop {
        let address = free_address()?;
        match start(address) {
            Ok(server) => return Ok((server, address)),
            Err(ServerError::Ended { tail, .. }) if is_taken(&tail) && tried < TRIED => tried += 1,
            Err(error) => return Err(error),
        }
    }
}

/// In the words that C libraries have for it.
pub(crate) fn is_taken(log: &str) -> bool {
    log.contains("Address already in use")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn ended(tail: &str) -> ServerError {
        ServerError::Ended { server: "s".to_owned(), status: "1".to_owned(), tail: tail.to_owned() }
    }

    #[test]
    fn a_port_that_was_taken_in_between_is_left_and_another_fault_is_told() {
        let rounds = Cell::new(0);
        let start = |fail_for: u32, words: &'static str| {
            rounds.set(0);
            on_free_port(|_| {
                rounds.set(rounds.get() + 1);
                if rounds.get() <= fail_for { Err(ended(words)) } else { Ok(()) }
            })
        };
        assert!(start(2, "bind: Address already in use").is_ok());
        assert_eq!(rounds.get(), 3);
        assert!(start(u32::MAX, "bind: Address already in use").is_err());
        assert_eq!(rounds.get(), TRIED);
        assert!(start(1, "no such setting").is_err());
        assert_eq!(rounds.get(), 1);
    }
}
