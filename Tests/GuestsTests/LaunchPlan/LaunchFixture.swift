import Foundation
import Guests
import JSON
@testable import QEMUCommandLine

/// A recorded command line with facts about its process, from Fixtures/command-lines/NAME.
struct LaunchFixture: Sendable, CustomStringConvertible {
    let name: String
    let arguments: [String]
    let facts: LaunchFacts
    let target: QEMUBinary

    var description: String { name }

    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/command-lines")

    /// The names of all fixtures, sorted.
    static let names: [String] = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()

    /// All fixtures that load; a test checks that these are all.
    static let all: [LaunchFixture] = names.compactMap { try? LaunchFixture(name: $0) }

    /// Whether the fixture has a plan, rather than problems.
    var hasPlan: Bool { (try? Self.text(name, "new.args")) != nil }

    init(name: String) throws {
        self.name = name
        arguments = try LaunchFixture.lines(name, "old.args")
        let json = try JSONValue(parsing: LaunchFixture.text(name, "facts.json"))
        facts = try LaunchFacts(json)
        target = try QEMUBinary(version: json["target"]?.string)
    }

    /// Parses the command line; reads its `-readconfig` files from the fixture.
    func commandLine() throws -> CommandLine {
        try CommandLine(arguments: arguments) { path in
            try LaunchFixture.text(name, URL(fileURLWithPath: path).lastPathComponent)
        }
    }

    static func text(_ name: String, _ file: String) throws -> String {
        try String(contentsOf: folder.appendingPathComponent("\(name)/\(file)"), encoding: .utf8)
    }

    private static func lines(_ name: String, _ file: String) throws -> [String] {
        try text(name, file).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
}

/// A malformed fixture.
struct BadFixture: Error {
    let reason: String
}

extension QEMUBinary {
    /// Creates the binaries of the fixtures: one installed by the distribution, one unpacked into a folder.
    init(version: String?) throws {
        switch version {
        case "10.0":
            self.init(
                path: "/opt/qemu-10.0/usr/bin/qemu-system-x86_64",
                version: Version(10, 0),
                firmwareDirectories: ["/opt/qemu-10.0/usr/share/qemu", "/opt/qemu-10.0/usr/share/seabios"],
                moduleDirectory: "/opt/qemu-10.0/usr/lib/x86_64-linux-gnu/qemu"
            )
        case let version?:
            let numbers = version.split(separator: ".").compactMap { Int($0) }
            guard numbers.count == 2 else { throw BadFixture(reason: "version \(version)") }
            self.init(path: "/usr/bin/qemu-system-x86_64", version: Version(numbers[0], numbers[1]))
        case nil:
            throw BadFixture(reason: "no version")
        }
    }
}

extension LaunchFacts {
    /// Parses facts.json.
    init(_ json: JSONValue) throws {
        self.init(
            binary: try QEMUBinary(version: json["binary"]?.string),
            machineType: json["machineType"]?.string,
            workingDirectory: json["workingDirectory"]?.string ?? "/",
            environment: (json["environment"]?.array ?? []).compactMap(\.string),
            descriptors: try LaunchFacts.descriptors(json["descriptors"]),
            fdSets: json["fdSets"]?.array?.map(LaunchFacts.fdSet),
            vncServers: try json["vncServers"]?.array?.map(LaunchFacts.vncServer),
            hostForwards: json["hostForwards"]?.object?.mapValues { ($0.array ?? []).compactMap(\.string) },
            additions: (json["additions"]?.array ?? []).map { words in
                let name = words[0]?.string?.dropFirst() ?? ""
                return CommandLineOption(String(name), words[1]?.string)
            },
            removals: Set((json["removals"]?.array ?? []).compactMap(\.string).compactMap(RemovedObject.init(text:))),
            qmpSocket: json["qmpSocket"]?.string
        )
    }

    private static func descriptors(_ json: JSONValue?) throws -> [Int32: OldDescriptor] {
        var descriptors: [Int32: OldDescriptor] = [:]
        for (number, text) in json?.object ?? [:] {
            guard let number = Int32(number), let text = text.string else { throw BadFixture(reason: number) }
            descriptors[number] = try OldDescriptor(text: text)
        }
        return descriptors
    }

    private static func fdSet(_ json: JSONValue) -> FDSet {
        let entries = (json["entries"]?.array ?? []).map { entry in
            FDSet.Entry(descriptor: Int32(entry["descriptor"]?.int ?? -1), opaque: entry["opaque"]?.string)
        }
        return FDSet(id: json["id"]?.int ?? -1, entries: entries)
    }

    private static func vncServer(_ json: JSONValue) throws -> VNCServer {
        let listeners = try (json["listeners"]?.array ?? []).map { text -> VNCServer.Listener in
            guard let text = text.string else { throw BadFixture(reason: "listener \(text)") }
            if text.hasPrefix("unix:") {
                return VNCServer.Listener(host: String(text.dropFirst(5)), service: "", isUnix: true)
            }
            let address = text.drop { $0 != ":" }.dropFirst()
            let colon = address.lastIndex(of: ":") ?? address.startIndex
            return VNCServer.Listener(
                host: String(address[..<colon]),
                service: String(address[address.index(after: colon)...]),
                isWebSocket: text.hasPrefix("ws:")
            )
        }
        return VNCServer(id: json["id"]?.string ?? "", listeners: listeners)
    }
}

extension OldDescriptor {
    /// Parses `tap:NAME`, `unix:PATH`, `socket`, `tcp:ADDRESS:PORT`, `vhost-net`, `file:PATH`, `other:TEXT`.
    init(text: String) throws {
        let argument = String(text.drop { $0 != ":" }.dropFirst())
        switch text.prefix(while: { $0 != ":" }) {
        case "tap": self = .tap(interface: argument)
        case "unix": self = .unixListener(path: argument)
        case "socket": self = .unixSocket
        case "vhost-net": self = .vhostNet
        case "file": self = .file(path: argument)
        case "other": self = .other(argument)
        case "tcp":
            let colon = argument.lastIndex(of: ":") ?? argument.startIndex
            guard let port = UInt16(argument[argument.index(after: colon)...]) else { throw BadFixture(reason: text) }
            self = .tcpListener(address: String(argument[..<colon]), port: port)
        default: throw BadFixture(reason: text)
        }
    }
}

extension RemovedObject {
    /// Parses `KIND:ID`.
    init?(text: String) {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2, let kind = Kind(rawValue: parts[0]) else { return nil }
        self.init(kind, id: parts[1])
    }
}
