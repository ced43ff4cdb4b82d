package import Linux

/// What a descriptor of the old QEMU refers to, as far as the launch plan distinguishes it.
package enum OldDescriptor: Sendable, Hashable {
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

// MARK: - Process

extension OldDescriptor {
    /// Returns what each descriptor of a process refers to.
    ///
    /// - Parameter pid: the process.
    /// - Returns: the descriptors by number.
    /// - Throws: `SystemError`; EACCES without permission to trace the process, ENOENT or ESRCH if it has ended.
    package static func all(of pid: Int32) throws(SystemError) -> [Int32: OldDescriptor] {
        let links = try ProcFS.descriptors(pid)
        let sockets = try Sockets(of: pid)
        var descriptors: [Int32: OldDescriptor] = [:]
        for (number, link) in links {
            if let socket = sockets.descriptor(link) {
                descriptors[number] = socket
            } else if link == "/dev/net/tun" {
                // A descriptor of /dev/net/tun that is not attached to an interface has no `iff`.
                let interface = (try? ProcFS.descriptorInfo(pid, number))?["iff"]
                descriptors[number] = interface.map { .tap(interface: $0) } ?? .file(path: link)
            } else if let interface = macvtap(link) {
                descriptors[number] = .tap(interface: interface)
            } else if link == "/dev/vhost-net" {
                descriptors[number] = .vhostNet
            } else {
                descriptors[number] = link.hasPrefix("/") ? .file(path: link) : .other(link)
            }
        }
        return descriptors
    }

    /// Returns the macvtap interface of a device node `/dev/tapN`, where N is the interface's index.
    private static func macvtap(_ link: String) -> String? {
        guard link.hasPrefix("/dev/tap") else { return nil }
        let name = link.dropFirst("/dev/".count)
        // ../../devices/virtual/net/macvtap0/tap12
        guard let target = try? Files.linkTarget("/sys/class/macvtap/\(name)") else { return nil }
        return target.split(separator: "/").dropLast().last.map(String.init)
    }
}

/// The sockets that a process can have, by inode.
private struct Sockets {
    private var listeners: [String: TCPListener] = [:]
    private var unix: [String: UnixSocketEntry] = [:]

    /// Searches the process's network namespace and ours: its parent may have opened its sockets in another namespace.
    init(of pid: Int32) throws(SystemError) {
        for listener in try ProcFS.tcpListeners() + ProcFS.tcpListeners(of: pid) {
            listeners["socket:[\(listener.inode)]"] = listener
        }
        for entry in try ProcFS.unixSockets() + ProcFS.unixSockets(of: pid) {
            unix["socket:[\(entry.inode)]"] = entry
        }
    }

    func descriptor(_ link: String) -> OldDescriptor? {
        if let listener = listeners[link] {
            return .tcpListener(address: listener.address, port: listener.port)
        }
        guard let entry = unix[link] else { return nil }
        guard entry.isListening, let path = entry.path else { return .unixSocket }
        return .unixListener(path: path)
    }
}

/// A set of file descriptors that QEMU opens as /dev/fdset/ID (`-add-fd`, QMP `add-fd`).
package struct FDSet: Sendable, Hashable {
    /// One descriptor of a set.
    package struct Entry: Sendable, Hashable {
        /// Its number in the old process now; not the number on the command line, because QEMU duplicates the
        /// descriptor.
        package var descriptor: Int32
        /// The `opaque` text given with it.
        package var opaque: String?

        /// Creates an entry; `descriptor` is a number in the old process.
        package init(descriptor: Int32, opaque: String? = nil) {
            self.descriptor = descriptor
            self.opaque = opaque
        }
    }

    /// The number of the set.
    package var id: Int
    /// The descriptors in it.
    package var entries: [Entry]

    /// Creates a set; `id` is the number in /dev/fdset.
    package init(id: Int, entries: [Entry]) {
        self.id = id
        self.entries = entries
    }
}
