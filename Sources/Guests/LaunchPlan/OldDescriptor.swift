/// What is behind a descriptor of the old QEMU, as far as the launch plan has to tell it apart.
public enum OldDescriptor: Sendable, Hashable {
    /// A queue of a tap or macvtap interface; its name is in /proc/PID/fdinfo (`iff:`).
    case tap(interface: String)
    /// A unix socket that listens, with the path it is bound to (/proc/net/unix).
    case unixListener(path: String)
    /// A unix socket that is connected or not bound.
    case unixSocket
    /// A TCP socket that listens, with its address as text (`0.0.0.0`, `::`) and its port.
    case tcpListener(address: String, port: UInt16)
    /// An open /dev/vhost-net.
    case vhostNet
    /// An open file or device node by its path.
    case file(path: String)
    /// Anything else, with what /proc/PID/fd says of it.
    case other(String)
}
