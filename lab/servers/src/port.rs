use crate::ServerError;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A loopback address that was free when asked. Another may take it before the server does: start again then.
pub(crate) fn free_address() -> Result<SocketAddr, ServerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map_err(ServerError::system("find a free port"))
}
