import Glibc
import Guests
import Linux

/// The files at which a guest is reached, sockets and pid file: bound by the new QEMU under temporary names, and put over
/// the lasting ones after commit.
enum EndpointFiles {
    /// Renames each over its lasting name, in one step that no client can fall into, with the owner and mode it had there.
    ///
    /// Harmless when repeated: what is in its place already has no temporary name left.
    static func settle(_ endpoints: [Endpoint]) throws(SystemError) {
        for endpoint in endpoints where Files.exists(endpoint.temporary) {
            inheritOwnership(from: endpoint.lasting, to: endpoint.temporary)
            guard rename(endpoint.temporary, endpoint.lasting) == 0 else {
                throw SystemError(operation: "rename", subject: endpoint.lasting, code: errno)
            }
        }
    }

    /// Removes what a new QEMU that is gone has left.
    static func discard(_ endpoints: [Endpoint]) {
        for endpoint in endpoints { unlink(endpoint.temporary) }
    }

    /// An administrator may have opened a socket to a group since QEMU created it.
    ///
    /// Best effort: the rename matters more.
    private static func inheritOwnership(from lasting: String, to temporary: String) {
        var status = stat()
        guard lstat(lasting, &status) == 0, status.st_mode & S_IFMT != S_IFLNK else { return }
        _ = lchown(temporary, status.st_uid, status.st_gid)
        _ = chmod(temporary, status.st_mode & 0o7777)
    }
}
