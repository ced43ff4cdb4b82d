import Glibc
import Linux

/// What this process has open: who leaks is to be told by name, not only counted.
struct OpenDescriptors {
    private let targets: [Int32: String]

    static func now() throws -> OpenDescriptors { OpenDescriptors(targets: try ProcFS.descriptors(getpid())) }

    var count: Int { targets.count }

    /// Those that are here and were not there, each with what it leads to; of a socket also the path that it is bound to.
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
