public import JSON

/// `announce-self`: makes the guest's NICs known to the switches once more.
///
/// Since 4.0.
public struct AnnounceSelf: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "announce-self"

    /// The wait before the second packet, in milliseconds, at most 100,000.
    public let initial: Int

    /// The longest wait between two packets, in milliseconds, at most 100,000.
    public let maximum: Int

    /// How many packets a NIC sends, at most 1000.
    public let rounds: Int

    /// By how much the wait grows, in milliseconds, at most 10,000.
    public let step: Int

    /// Makes the command; what is not given is as QEMU does it after a migration.
    ///
    /// - Parameters:
    ///   - initial: The wait before the second packet, in milliseconds.
    ///   - maximum: The longest wait between two packets, in milliseconds.
    ///   - rounds: How many packets a NIC sends.
    ///   - step: By how much the wait grows, in milliseconds.
    public init(initial: Int = 50, maximum: Int = 550, rounds: Int = 5, step: Int = 100) {
        self.initial = initial
        self.maximum = maximum
        self.rounds = rounds
        self.step = step
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] {
        [
            "initial": .integer(Int64(initial)), "max": .integer(Int64(maximum)),
            "rounds": .integer(Int64(rounds)), "step": .integer(Int64(step)),
        ]
    }
}

/// `netdev_add`: makes the host's end of a network.
///
/// Since 0.14.
public struct NetdevAdd: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "netdev_add"

    /// The netdev: `type`, `id` and what the type needs.
    public let netdev: [String: JSONValue]

    /// Makes the command.
    ///
    /// - Parameter netdev: The netdev.
    public init(_ netdev: [String: JSONValue]) {
        self.netdev = netdev
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { netdev }

    /// Thirty seconds: a helper program or a script may have to run.
    public var deadline: Duration { .seconds(30) }
}

/// `netdev_del`: removes the host's end of a network.
///
/// Since 0.14.
public struct NetdevDel: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "netdev_del"

    /// Its id.
    public let id: String

    /// Makes the command.
    ///
    /// - Parameter id: Its id.
    public init(id: String) {
        self.id = id
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["id": .string(id)] }

    /// Thirty seconds: a script may have to run.
    public var deadline: Duration { .seconds(30) }
}
