import Guests
import JSON
import Linux
import QMP

extension FollowUp {
    /// Whether it takes something out of the old process, and so has to happen while that is still there.
    var needsOldProcess: Bool {
        if case .vncListen = self { true } else { false }
    }

    /// Does on the new QEMU what its command line could not say.
    ///
    /// - Parameters:
    ///   - client: the new QEMU's monitor.
    ///   - old: the old process, for what has to be taken out of it.
    /// - Throws: `QMPError`, `SystemError`, or `HyperFreshError` with what the monitor said.
    func perform(on client: QMPClient, old: ProcessHandle? = nil) async throws {
        switch self {
        case .vncListen(_, let descriptors):
            guard let old else { return }
            try await listen(descriptors, of: old, on: client)
        case .hostForward(let netdev, let rule):
            let command = ["hostfwd_add", netdev, rule].compactMap(\.self).joined(separator: " ")
            let answer = try await client.execute(HumanMonitorCommand(command))
            // HMP says nothing when it is content.
            guard answer.allSatisfy(\.isWhitespace) else {
                throw HyperFreshError(
                    "\(command): \(answer)", remedy: "Add the rule by hand at the monitor: \(command)")
            }
        }
    }

    /// The new QEMU listens on the very sockets that the old one did: nobody who connects meanwhile is turned away.
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
