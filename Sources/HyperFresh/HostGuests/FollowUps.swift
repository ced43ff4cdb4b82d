import Guests
import JSON
import Linux
import QMP

extension FollowUp {
    /// Whether it takes something out of the old process, and so has to be performed while that still exists.
    var needsOldProcess: Bool {
        if case .vncListen = self { true } else { false }
    }

    /// Performs a step on the new QEMU that its command line cannot express.
    ///
    /// - Parameters:
    ///   - client: the new QEMU's monitor.
    ///   - old: the old process, from which something has to be taken.
    /// - Throws: `QMPError`, `SystemError`, or `HyperFreshError` with the monitor's answer.
    func perform(on client: QMPClient, old: ProcessHandle? = nil) async throws {
        switch self {
        case .vncListen(_, let descriptors):
            guard let old else { return }
            try await listen(descriptors, of: old, on: client)
        case .hostForward(let netdev, let rule):
            let command = ["hostfwd_add", netdev, rule].compactMap(\.self).joined(separator: " ")
            let answer = try await client.execute(HumanMonitorCommand(command))
            // HMP prints nothing on success.
            guard answer.allSatisfy(\.isWhitespace) else {
                throw HyperFreshError(
                    "\(command): \(answer)", remedy: "Add the rule by hand at the monitor: \(command)")
            }
        }
    }

    /// Makes the new QEMU listen on the sockets of the old one, so that no connection is refused in between.
    private func listen(_ descriptors: [Int32], of old: ProcessHandle, on client: QMPClient) async throws {
        var addresses: [JSONValue] = []
        for (index, number) in descriptors.enumerated() {
            let name = "hyperfresh-vnc\(index)"
            let socket = try old.descriptor(number)
            _ = try await client.execute(GetFD(fdname: name, descriptor: socket.number))
            addresses.append(["type": "fd", "str": .string(name)])
        }
        try await client.execute(DisplayUpdate(vncAddresses: addresses))
    }
}
