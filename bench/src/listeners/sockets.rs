//! Connections from several loopback addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// Number of ports used per address, of the 28,000 that Linux assigns.
const PORTS: usize = 8_000;

/// Loopback address of the listener with this number: one that has enough free ports.
pub fn address_of(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number / PORTS).unwrap_or(u8::MAX))
}

/// Begins to connect to a server of this machine; the socket becomes writable when the connection is open or has
/// failed. A closed socket is released immediately, so that the next run finds the port free.
pub fn connect(to: SocketAddr, from: Ipv4Addr) -> std::io::Result<std::net::TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&SockAddr::from(SocketAddr::from((from, 0))))?;
    match socket.connect(&SockAddr::from(to)) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(socket.into()),
    }
}
