import Glibc
import Linux

/// The open descriptors of this process, with names, so that a leak can be identified.
struct OpenDescriptors {
    private let targets: [Int32: String]

    static func now() throws -> OpenDescriptors { OpenDescriptors(targets: try ProcFS.descriptors(getpid())) }

    var count: Int { targets.count }

    /// Returns the descriptors that are new, each with its target; for a socket, also the path that it is bound to.
    func new(since before: OpenDescriptors) -> [String] {
        let paths = Dictionary(
            ((try? ProcFS.unixSockets()) ?? []).compactMap { entry in
                entry.path.map { ("socket:[\(entry.inode)]", $0) }
            }, uniquingKeysWith: { first, _ in first })
        return targets.filter { before.targets[$0.key] != $0.value }.sorted { $0.key < $1.key }.map { number, target in
            "\(number) → \(target)" + (paths[target].map { " at \($0)" } ?? "")
        }
    }
}
