public import JSON

/// `announce-self`: announces the guest's NICs to the switches again.
///
/// Since 4.0.
public struct AnnounceSelf: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "announce-self"

    /// The wait before the second packet, in milliseconds, at most 100,000.
    public let initial: Int

    /// The maximum wait between two packets, in milliseconds, at most 100,000.
    public let maximum: Int

    /// The number of packets that each NIC sends, at most 1000.
    public let rounds: Int

    /// The increase of the wait, in milliseconds, at most 10,000.
    public let step: Int

    /// Creates the command; the defaults are those that QEMU uses after a migration.
    ///
    /// - Parameters:
    ///   - initial: The wait before the second packet, in milliseconds.
    ///   - maximum: The maximum wait between two packets, in milliseconds.
    ///   - rounds: The number of packets that each NIC sends.
    ///   - step: The increase of the wait, in milliseconds.
    public init(initial: Int = 50, maximum: Int = 550, rounds: Int = 5, step: Int = 100) {
        self.initial = initial
        self.maximum = maximum
        self.rounds = rounds
        self.step = step
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] {
        [
            "initial": .integer(Int64(initial)), "max": .integer(Int64(maximum)),
            "rounds": .integer(Int64(rounds)), "step": .integer(Int64(step)),
        ]
    }
}

/// `netdev_add`: creates a network back end.
///
/// Since 0.14.
public struct NetdevAdd: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "netdev_add"

    /// The netdev: `type`, `id` and the options of the type.
    public let netdev: [String: JSONValue]

    /// Creates the command for one netdev.
    ///
    /// - Parameter netdev: The netdev.
    public init(_ netdev: [String: JSONValue]) {
        self.netdev = netdev
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { netdev }

    /// Thirty seconds: a helper program or a script may have to run.
    public var deadline: Duration { .seconds(30) }
}

/// `netdev_del`: removes a network back end.
///
/// Since 0.14.
public struct NetdevDel: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "netdev_del"

    /// Its id.
    public let id: String

    /// Creates the command for one netdev.
    ///
    /// - Parameter id: Its id.
    public init(id: String) {
        self.id = id
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["id": .string(id)] }

    /// Thirty seconds: a script may have to run.
    public var deadline: Duration { .seconds(30) }
}
