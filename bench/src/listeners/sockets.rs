use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, SockAddr, Socket, Type};

/// Of the 28,000 ports that Linux gives away for each address, those that one of ours takes.
const PORTS: usize = 8_000;

/// Begins to connect to a server of this machine. The `number`-th connection comes from a loopback address that has ports
/// enough; closed, it is gone at once, so that the next run finds the port free.
pub fn connect(to: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_linger(Some(Duration::ZERO))?;
    let from = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number / PORTS).unwrap_or(u8::MAX));
    socket.bind(&SockAddr::from(SocketAddr::from((from, 0))))?;
    match socket.connect(&SockAddr::from(to)) {
        // Under way: the socket becomes writable when it is done.
        Err(error) if error.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
