import QMP
public import Guests
public import JSON
import Linux

/// A line of `hyperfresh list`.
public struct GuestSummary: Sendable, Hashable, JSONRepresentable {
    /// The guest's name.
    public let name: String
    /// Its QEMU's process id.
    public let pid: Int32
    /// The path of the binary that runs; `nil` where it may not be read.
    public let binary: String?
    /// The version that runs; `nil` where nobody could say.
    public let runningVersion: String?
    /// The version that the same path holds now; `nil` where nothing is there.
    public let installedVersion: String?
    /// The file that runs is no longer at its path: it was upgraded or removed.
    public let isBinaryDeleted: Bool
    /// Where its monitor answers.
    public let qmp: String?
    /// The first reason why it cannot be refreshed, as far as a look without touching tells; `nil` for none.
    public let obstacle: Finding?

    static func all() async throws(HyperFreshError) -> [GuestSummary] {
        do {
            return try await GuestDiscovery.all().map(GuestSummary.init)
        } catch {
            throw HyperFreshError(
                "the QEMUs of this host cannot be listed", because: error, remedy: "Is /proc mounted?")
        }
    }

    init(_ guest: GuestProcess) {
        name = guest.name
        pid = guest.identity.pid
        binary = guest.executable?.path
        runningVersion = guest.runningVersion?.description
        installedVersion = guest.installedVersion?.description
        isBinaryDeleted = guest.isBinaryDeleted
        qmp = guest.monitors.first?.path
        obstacle = Preflight.glance(at: guest).first
    }

    /// `name`, `pid`, `binary`, `running`, `installed`, `binary_deleted`, `qmp`, `refreshable`, `obstacle`.
    public var json: JSONValue {
        .object(
            [
                "name": .string(name), "pid": .integer(Int64(pid)), "binary": binary.map(JSONValue.string),
                "running": runningVersion.map(JSONValue.string), "installed": installedVersion.map(JSONValue.string),
                "binary_deleted": .bool(isBinaryDeleted), "qmp": qmp.map(JSONValue.string),
                "refreshable": .bool(obstacle == nil), "obstacle": obstacle?.json,
            ].compactMapValues(\.self))
    }
}
