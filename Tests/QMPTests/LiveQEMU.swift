import Glibc
import Linux
import QMP
import TestTools
import QMPTesting

/// A real QEMU with a small machine that is never started; killed when this object is destroyed.
final class LiveQEMU: Sendable {
    /// A binary to test with.
    struct Binary: Sendable, CustomStringConvertible {
        let path: String
        let series: String

        var description: String { "QEMU \(series)" }
    }

    /// The installed QEMU and the fetched one, if present.
    static let binaries: [Binary] = {
        let cache = variable("HYPERFRESH_CACHE") ?? ".cache"
        let candidates = [
            Binary(path: variable("HYPERFRESH_QEMU") ?? "/usr/bin/qemu-system-x86_64", series: "7.2"),
            Binary(path: variable("HYPERFRESH_QEMU_10") ?? "\(cache)/qemu-10.0/qemu-system-x86_64", series: "10.0"),
        ]
        return candidates.filter { access($0.path, X_OK) == 0 }
    }()

    static let advice = "QEMU is missing: apt-get install qemu-system-x86, and scripts/fetch-qemu for 10.0"

    static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Its monitor's socket.
    let path: String
    let identity: ProcessIdentity
    private let folder: ScratchFolder

    init(_ binary: Binary, arguments: [String] = []) throws {
        folder = ScratchFolder()
        path = "\(folder.path)/qmp.sock"
        let executable = binary.path.hasPrefix("/") ? binary.path : "\(Self.workingDirectory)/\(binary.path)"
        identity = try spawn(
            SpawnRequest(
                executable: executable,
                arguments: [
                    executable, "-nodefaults", "-no-user-config", "-display", "none", "-S", "-accel", "tcg", "-m", "64",
                    "-qmp", "unix:\(path),server=on,wait=off",
                ] + arguments,
                environment: ["PATH=/usr/bin:/bin"]
            )
        )
    }

    /// Returns a client of its monitor.
    func connect() async throws -> QMPClient {
        try await QMPClient.connect(path: path, appearingWithin: .seconds(20), greetingDeadline: .seconds(20))
    }

    deinit {
        try? signal(SIGKILL)
    }

    func signal(_ number: Int32) throws {
        try ProcessHandle(identity).signal(number)
    }

    private static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }
}
