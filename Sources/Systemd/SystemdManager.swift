internal import CGLib
internal import Glibc

/// A client of a running systemd, over D-Bus; see org.freedesktop.systemd1(5).
///
/// systemd 252 can move running processes only into a scope, and passes no descriptors to a transient service; hence
/// the scope.
package struct SystemdManager: Sendable {
    /// The routes to it, the preferred one first.
    private let routes: [Bus.Route]

    private static let name = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let interface = "org.freedesktop.systemd1.Manager"

    /// Creates a client of the manager at the bus with this D-Bus address.
    package init(address: String) {
        routes = [.bus(address)]
    }

    private init(routes: [Bus.Route]) {
        self.routes = routes
    }

    /// Returns the manager of the caller's services: the system's for root, the user's own otherwise.
    ///
    /// It checks only files; whether the manager answers shows with the first request.
    ///
    /// - Returns: nil if there is none.
    package static func own() -> SystemdManager? {
        // sd_booted(3).
        guard access("/run/systemd/system", F_OK) == 0 else { return nil }
        var routes: [Bus.Route] = []
        if geteuid() == 0 {
            if let address = environment("DBUS_SYSTEM_BUS_ADDRESS") ?? address(of: "/run/dbus/system_bus_socket") {
                routes.append(.bus(address))
            }
            // systemctl's route for root: it works without a message bus, too.
            if let address = address(of: "/run/systemd/private") { routes.append(.peer(address)) }
        } else {
            let runtime = environment("XDG_RUNTIME_DIR") ?? "/run/user/\(geteuid())"
            if let address = environment("DBUS_SESSION_BUS_ADDRESS") ?? address(of: "\(runtime)/bus") {
                routes.append(.bus(address))
            }
            if let address = address(of: "\(runtime)/systemd/private") { routes.append(.peer(address)) }
        }
        return routes.isEmpty ? nil : SystemdManager(routes: routes)
    }

    /// Returns the system's manager, which answers queries about its units from any user.
    ///
    /// - Returns: nil if there is none.
    package static func system() -> SystemdManager? {
        if geteuid() == 0 { return own() }
        guard access("/run/systemd/system", F_OK) == 0, let address = address(of: "/run/dbus/system_bus_socket") else {
            return nil
        }
        return SystemdManager(routes: [.bus(address)])
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
        return value
    }

    /// Returns the D-Bus address of a unix socket; nil if there is none.
    private static func address(of path: String) -> String? {
        guard access(path, F_OK) == 0, let escaped = g_dbus_address_escape_value(path) else { return nil }
        defer { g_free(escaped) }
        return "unix:path=\(String(cString: escaped))"
    }

    /// Connects through the first route on which systemd answers.
    private static func connect(_ routes: [Bus.Route], deadline: Int64) throws(SystemdError) -> Bus {
        var failures: [String] = []
        for route in routes {
            do throws(SystemdError) {
                return try Bus(to: name, route: route, deadline: deadline)
            } catch  where error.code == .unavailable {
                failures.append(error.message)
            }
        }
        throw SystemdError(.unavailable, "systemd does not answer: \(failures.joined(separator: "; "))")
    }

    /// Returns the unit that a process belongs to.
    ///
    /// - Parameters:
    ///   - pid: the process.
    ///   - within: the longest wait for the answer.
    /// - Returns: nil if it belongs to no unit of this manager.
    /// - Throws: `SystemdError`: `unavailable`, `refused`, `timeout`.
    package func unit(of pid: Int32, within: Duration = .seconds(2)) async throws(SystemdError) -> SystemdUnit? {
        let (routes, deadline) = (routes, Self.deadline(within))
        return try await onBusThread { () throws(SystemdError) in
            let bus = try Self.connect(routes, deadline: deadline)
            return try Self.properties(ofUnitOf: pid, bus).map(Self.unit)
        }
    }

    /// Moves a process into its own scope, so that stopping the unit that started it no longer stops it.
    ///
    /// Waits until systemd has done so. systemd removes the scope when its last process has exited.
    ///
    /// - Parameters:
    ///   - pid: the process.
    ///   - name: the scope's name, see `scopeName(_:)`.
    ///   - model: a process whose slice and resource limits the scope gets; nil for the defaults.
    ///   - description: the description shown by systemctl.
    ///   - within: the longest wait for the whole operation.
    /// - Returns: the control group of the process after the move.
    /// - Throws: `SystemdError`; unless it is `timeout`, the process was not moved.
    @discardableResult
    package func adopt(
        _ pid: Int32, as name: String, like model: Int32? = nil, description: String, within: Duration = .seconds(5)
    ) async throws(SystemdError) -> String {
        let (routes, deadline) = (routes, Self.deadline(within))
        return try await onBusThread { () throws(SystemdError) in
            let bus = try Self.connect(routes, deadline: deadline)
            var properties = [("PIDs", Variant.array(of: "u", [.uint32(UInt32(pid))]))]
            if let model, let found = try Self.properties(ofUnitOf: model, bus) {
                if let slice = found["Slice"], slice.text?.isEmpty == false { properties.append(("Slice", slice)) }
                properties += ResourceControl.worthCopying(found)
            }
            properties.append(("Description", .string(description)))
            properties.append(("CollectMode", .string("inactive-or-failed")))
            try Self.startScope(name, properties, bus)
            let path = try Self.objectPath("GetUnit", .string(name), bus)
            let scope = try Self.allProperties(of: path, "org.freedesktop.systemd1.Scope", bus)
            return scope["ControlGroup"]?.text ?? ""
        }
    }

    private static func startScope(
        _ name: String, _ properties: [(String, Variant)], _ bus: Bus
    ) throws(SystemdError) {
        let removals = bus.subscribe(path: path, interface: interface, signal: "JobRemoved")
        // systemd sends its signals only to subscribed clients.
        _ = try bus.call(path, interface, "Subscribe")
        let list = properties.map { Variant.tuple([.string($0.0), .boxed($0.1)]) }
        let job = try bus.call(
            path, interface, "StartTransientUnit",
            [
                .string(name), .string("fail"), Variant.array(of: "(sv)", list),
                Variant.array(of: "(sa(sv))", []),
            ]
        ).first?.text
        let result = try bus.wait("starting \(name)") {
            // JobRemoved: id, job, unit, result.
            removals.arrived.first { $0.count == 4 && $0[1].text == job }?[3].text
        }
        guard result == "done" else { throw SystemdError(.failed, "starting \(name) ended as '\(result)'") }
    }

    /// Returns all properties of a process's unit; nil if the process belongs to none.
    private static func properties(ofUnitOf pid: Int32, _ bus: Bus) throws(SystemdError) -> [String: Variant]? {
        let path: String
        do throws(SystemdError) {
            path = try objectPath("GetUnitByPID", .uint32(UInt32(pid)), bus)
        } catch  where error.busName == "org.freedesktop.systemd1.NoUnitForPID" {
            return nil
        }
        let unit = try allProperties(of: path, "org.freedesktop.systemd1.Unit", bus)
        guard let kind = unit["Id"]?.text?.split(separator: ".").last, let capital = kind.first else { return nil }
        let interface = "org.freedesktop.systemd1.\(capital.uppercased())\(kind.dropFirst())"
        return unit.merging(try allProperties(of: path, interface, bus)) { first, _ in first }
    }

    private static func objectPath(
        _ method: String, _ argument: Variant, _ bus: Bus
    ) throws(SystemdError) -> String {
        let reply = try bus.call(path, interface, method, [argument])
        guard let path = reply.first?.text else { throw SystemdError(.refused, "\(method): no path in the reply") }
        return path
    }

    private static func allProperties(
        of path: String, _ interface: String, _ bus: Bus
    ) throws(SystemdError) -> [String: Variant] {
        let arguments: [Variant] = [.string(interface)]
        let reply = try bus.call(path, "org.freedesktop.DBus.Properties", "GetAll", arguments)
        return reply.first?.dictionary ?? [:]
    }

    private static func unit(_ properties: [String: Variant]) -> SystemdUnit {
        let main = properties["MainPID"]?.number.flatMap { Int32(exactly: $0) }
        // Each command is a structure whose first member is the program's path.
        let programs = properties["ExecStopPost"]?.children.compactMap { $0.children.first?.text } ?? []
        let keepsFolders = properties["RuntimeDirectoryPreserve"]?.text == "yes"
        let folders = properties["RuntimeDirectory"]?.children.compactMap(\.text) ?? []
        return SystemdUnit(
            name: properties["Id"]?.text ?? "", slice: properties["Slice"]?.text ?? "",
            controlGroup: properties["ControlGroup"]?.text ?? "", mainPID: main == 0 ? nil : main,
            restart: properties["Restart"]?.text, stopPrograms: programs,
            passingFolders: keepsFolders ? [] : folders.map { "/run/\($0)" }
        )
    }

    /// Moves a process into a scope of its own, so that it does not end with the unit that it was started from.
    ///
    /// Does nothing on a host without systemd.
    ///
    /// - Parameters:
    ///   - pid: The process.
    ///   - name: What the process is, for the scope's name: `hyperfresh-NAME-PID.scope`.
    ///   - model: A process whose slice and resource limits the scope gets.
    ///   - description: The description shown by systemctl.
    /// - Throws: `SystemdError`; see `adopt`.
    package static func isolate(
        _ pid: Int32, named name: String, like model: Int32, description: String
    ) async throws(SystemdError) {
        guard let manager = own() else { return }
        try await manager.adopt(
            pid, as: scopeName("hyperfresh-\(name)-\(pid)"), like: model, description: description)
    }

    private static func deadline(_ within: Duration) -> Int64 {
        let (seconds, attoseconds) = within.components
        return MainContext.now() + seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }

    /// Returns a valid scope name for any text, escaped as by systemd-escape(1).
    ///
    /// - Parameter text: the scope's purpose; truncated to fit.
    /// - Returns: at most 255 bytes, ending in `.scope`.
    package static func scopeName(_ text: String) -> String {
        var name = ""
        for byte in text.utf8 {
            let character = Character(UnicodeScalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || ":_.-".contains(character))
            let hexadecimal = String(byte, radix: 16)
            let piece = isPlain ? String(character) : "\\x" + (byte < 16 ? "0" : "") + hexadecimal
            if name.utf8.count + piece.utf8.count + ".scope".utf8.count > 255 { break }
            name += piece
        }
        return name + ".scope"
    }
}
