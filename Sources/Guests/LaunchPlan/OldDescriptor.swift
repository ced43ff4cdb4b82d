/// What a descriptor of the old QEMU refers to, as far as the launch plan distinguishes it.
public enum OldDescriptor: Sendable, Hashable {
    /// A queue of a tap or macvtap interface; its name is in /proc/PID/fdinfo (`iff:`).
    case tap(interface: String)
    /// A listening unix socket, with the path to which it is bound (/proc/net/unix).
    case unixListener(path: String)
    /// A unix socket that is connected or unbound.
    case unixSocket
    /// A listening TCP socket, with its address as text (`0.0.0.0`, `::`) and its port.
    case tcpListener(address: String, port: UInt16)
    /// An open /dev/vhost-net.
    case vhostNet
    /// An open file or device node by its path.
    case file(path: String)
    /// Anything else, with its link in /proc/PID/fd.
    case other(String)
}
