import Glibc
import Guests
import Linux

/// The sockets and the pid file of a guest: the new QEMU creates them under temporary names, and they replace the
/// permanent ones after the commit.
enum EndpointFiles {
    /// Renames each over its permanent name, in one step, with the owner and mode of the file there.
    ///
    /// Clients find the old file or the new one at any time. An administrator may have opened a socket to a group since
    /// QEMU created it. Harmless when repeated: a file that was renamed has no temporary name any more.
    static func settle(_ endpoints: [Endpoint]) throws(SystemError) {
        for endpoint in endpoints where Files.exists(endpoint.temporary) {
            // The folder may belong to the guest's owner, who may have replaced the file since.
            try Files.replace(endpoint.lasting, with: endpoint.temporary)
        }
    }

    /// Removes the files of a new QEMU that is gone.
    static func discard(_ endpoints: [Endpoint]) {
        for endpoint in endpoints { unlink(endpoint.temporary) }
    }
}
