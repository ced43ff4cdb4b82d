public import Hypervisors

/// A container's image store as an OS VM sees it: a file system on memory that the hyperplexor maps into two of them.
///
/// It is mounted in one of them at a time: two kernels do not know of each other's changes.
extension ContainerPlace {
    /// Shell lines that mount it, unless it is.
    var mounting: String {
        """
        grep -q ' \(files.store) ' /proc/self/mounts || mount -o dax=always "$(cat \(files.deviceFile))" \(files.store)
        """
    }

    /// Shell lines that unmount it, if it is mounted.
    var unmounting: String {
        """
        ! grep -q ' \(files.store) ' /proc/self/mounts || umount \(files.store)
        """
    }

    /// Empties the store and leaves a word in it, or reads the word that was left, and unmounts it.
    ///
    /// - Parameter word: What to leave; `nil` to leave nothing.
    /// - Returns: The word that was in it.
    /// - Throws: ``HypervisorError``.
    public func exchange(_ word: String?) async throws(HypervisorError) -> String {
        try await agent.run(
            """
            \(mounting)
            cat \(files.store)/word 2>/dev/null || true
            if [ -n "$1" ]; then
                rm -rf \(files.store)/[!l]*
                printf %s "$1" >\(files.store)/word
            fi
            umount \(files.store)
            """, [word ?? ""], to: "use the image store of container \(name)")
    }
}
