use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// Of the 28,000 ports that Linux gives away for each address, those that one of ours takes.
const PORTS: usize = 8_000;

/// The loopback address that the `number`-th listener comes from: one that has ports enough.
pub fn address_of(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number / PORTS).unwrap_or(u8::MAX))
}

/// Begins to connect to a server of this machine; the socket becomes writable when it is done, or has failed. Closed,
/// it is gone at once, so that the next run finds the port free.
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
