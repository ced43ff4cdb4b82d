public import QMP

/// A binary that was asked what it is and what it can do.
public struct QEMUProbe: Sendable {
    /// How to start it.
    public let binary: QEMUBinary
    /// Its version with all numbers and the packager's words.
    public let version: QEMUVersion
    /// What it emulates: `x86_64`.
    public let target: String
    /// The machine types that it knows, with their aliases.
    public let machines: [QueryMachines.Machine]
    /// The properties of those device types that were asked for and that it has.
    public let properties: [String: Set<String>]
    /// Variables that it needs beside our own environment to be started by hand.
    let environment: [String: String]

    /// Whether it knows a machine type, by its name or an alias.
    public func knows(machineType: String) -> Bool {
        machines.contains { $0.name == machineType || $0.alias == machineType }
    }
}
