internal import Glibc
internal import Linux

/// Decides which files this process may execute as the current user.
enum ProgramTrust {
    /// Returns whether only root or the current user can have put this program there: others can write neither the file
    /// nor a directory on its path.
    ///
    /// A guest's owner chooses the binary of their QEMU; an administrator's tool must not run it as root.
    static func isOurs(_ path: String) -> Bool {
        guard let resolved = Paths.resolved(path), let file = FileStatus.at(resolved), !file.isWritableByOthers else {
            return false
        }
        return Paths.ancestors(of: resolved).allSatisfy { FileStatus.at($0)?.isWritableByOthers == false }
    }
}
