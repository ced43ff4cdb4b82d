import Glibc
import Guests
import Linux

/// The files at which a guest is reached, sockets and pid file: bound by the new QEMU under temporary names, and put over
/// the lasting ones after commit.
enum EndpointFiles {
    /// Renames each over its lasting name, in one step that no client can fall into, with the owner and mode it had there: an
    /// administrator may have opened a socket to a group since QEMU created it.
    ///
    /// Harmless when repeated: what is in its place already has no temporary name left.
    static func settle(_ endpoints: [Endpoint]) throws(SystemError) {
        for endpoint in endpoints where Files.exists(endpoint.temporary) {
            // The folder may be the guest's owner's, who may have put something else there meanwhile.
            try Files.replace(endpoint.lasting, with: endpoint.temporary)
        }
    }

    /// Removes what a new QEMU that is gone has left.
    static func discard(_ endpoints: [Endpoint]) {
        for endpoint in endpoints { unlink(endpoint.temporary) }
    }
}
