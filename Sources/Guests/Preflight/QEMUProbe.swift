public import QMP

/// The answers of a binary that was queried.
public struct QEMUProbe: Sendable {
    /// How to start it.
    public let binary: QEMUBinary
    /// Its version with all numbers and the name of its package.
    public let version: QEMUVersion
    /// The architecture that it emulates: `x86_64`.
    public let target: String
    /// The machine types that it knows, with their aliases.
    public let machines: [QueryMachines.Machine]
    /// The properties of the queried device types that it has.
    public let properties: [String: Set<String>]
    /// Variables that it needs in addition to our own environment when it is started directly.
    let environment: [String: String]

    /// Returns whether it knows a machine type, by its name or an alias.
    public func knows(machineType: String) -> Bool {
        machines.contains { $0.name == machineType || $0.alias == machineType }
    }
}
