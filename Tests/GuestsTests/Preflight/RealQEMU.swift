import Glibc
import Guests
import JSON
import Linux
import QMP
import Testing

/// The programs that tests with a real QEMU need, and how to install missing ones.
enum RealPrograms {
    static let qemu = "/usr/bin/qemu-system-x86_64"
    static let image = "/usr/bin/qemu-img"

    /// Another QEMU version, unpacked into a folder by scripts/fetch-qemu.
    static var otherQEMU: String {
        let cache = getenv("HYPERFRESH_CACHE").map { String(cString: $0) } ?? "\(packageRoot)/.cache"
        return "\(cache)/qemu-10.0/qemu-system-x86_64"
    }

    private static var packageRoot: String {
        "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    }

    /// The built command, if another user can execute it.
    static var command: String? {
        let path = "\(packageRoot)/.build/debug/hyperfresh"
        return access(path, X_OK) == 0 && access("/usr/bin/setpriv", X_OK) == 0 ? path : nil
    }

    static var isReady: Bool { access(qemu, X_OK) == 0 && access(image, X_OK) == 0 }
    static var hasOther: Bool { isReady && access(otherQEMU, X_OK) == 0 }
    static var hasTap: Bool { access("/dev/net/tun", R_OK | W_OK) == 0 && access("/usr/sbin/ip", X_OK) == 0 }

    /// Creates or removes a tap interface that persists without a process.
    static func tap(_ name: String, _ verb: String) throws {
        let process = try spawn(
            SpawnRequest(executable: "/usr/sbin/ip", arguments: ["ip", "tuntap", verb, "dev", name, "mode", "tap"]))
        while process.isAlive { usleep(2000) }
    }

    /// Opens a tap interface as a management tool does before it passes the descriptor to QEMU.
    static func openTap(_ name: String) throws -> Descriptor {
        let tap = try Descriptor.open("/dev/net/tun", flags: O_RDWR)
        var request = [UInt8](repeating: 0, count: 40)
        for (index, byte) in name.utf8.enumerated() { request[index] = byte }
        // IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, see linux/if_tun.h.
        request[16] = 0x02
        request[17] = 0x50
        let tunSetInterface: UInt = 0x4004_54CA
        #expect(ioctl(tap.number, tunSetInterface, &request) == 0)
        return tap
    }

    static let howToGetReady: Comment = "needs QEMU: scripts/setup, and scripts/fetch-qemu for the second version"
}

/// A folder for one test, private unless the test changes that; removed with this object.
final class RealFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/dev/shm/hfg-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        if Glibc.remove(path) == 0 { return }
        guard let folder = opendir(path) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { remove("\(path)/\(name)") }
        }
        closedir(folder)
        Glibc.remove(path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Creates an executable script.
    func script(_ name: String, _ text: String) throws -> String {
        let bytes = Array("#!/bin/sh\n\(text)\n".utf8)
        let file = try Descriptor.open(self.file(name), flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o755)
        #expect(write(file.number, bytes, bytes.count) == bytes.count)
        fchmod(file.number, 0o755)
        return self.file(name)
    }

    /// Creates an image.
    func image(_ name: String, _ arguments: String...) throws {
        let request = SpawnRequest(
            executable: RealPrograms.image,
            arguments: ["qemu-img", "create", "-q", "-f", "qcow2"] + arguments + [file(name), "64M"])
        let process = try spawn(request)
        while process.isAlive { usleep(2000) }
    }

    func exists(_ name: String) -> Bool { access(file(name), F_OK) == 0 }
}

/// A QEMU for one test; killed with this object.
final class RealQEMU: Sendable {
    let handle: ProcessHandle
    let folder: RealFolder
    let qmp: String

    var pid: Int32 { handle.identity.pid }

    /// Returns the memory options of most tests: a file that a second QEMU can map.
    static func memory(in folder: RealFolder, size: String = "128M") -> [String] {
        [
            "-machine", "pc-q35-7.2,memory-backend=ram0", "-m", size, "-object",
            "memory-backend-file,id=ram0,size=\(size),mem-path=\(folder.file("ram")),share=on",
        ]
    }

    /// Starts a QEMU and waits for its monitor's greeting: it listens before the guest's memory exists.
    init(
        _ arguments: [String], in folder: RealFolder, binary: String = RealPrograms.qemu, socket: String = "qmp",
        environment: [String] = ["PATH=/usr/bin:/bin"], mask: UInt32 = 0o077
    ) throws {
        self.folder = folder
        qmp = folder.file(socket)
        var request = SpawnRequest(
            executable: binary,
            arguments: [binary, "-nodefaults", "-display", "none"] + arguments
                + ["-qmp", "unix:\(qmp),server=on,wait=off"],
            environment: environment)
        request.workingDirectory = folder.path
        request.umask = mask
        let errors = try Descriptor.open(folder.file("stderr-\(socket)"), flags: O_WRONLY | O_CREAT | O_APPEND)
        request.descriptors = [.init(source: errors.number, number: 2)]
        handle = try ProcessHandle(try spawn(request))
        for _ in 0..<2000 {
            if let stream = try? UnixStream.connect(path: qmp), Self.greets(stream) { return }
            if handle.hasExited { break }
            usleep(5000)
        }
        let said = (try? Files.readAll(folder.file("stderr-\(socket)"))).map { String(decoding: $0, as: UTF8.self) }
        Issue.record("QEMU did not start: \(said ?? "")")
    }

    private static func greets(_ stream: UnixStream) -> Bool {
        defer { stream.shutdown() }
        let greeting = [UInt8](unsafeUninitializedCapacity: 4096) { room, count in
            count = (try? stream.receive(into: UnsafeMutableRawBufferPointer(room), within: .seconds(10)).count) ?? 0
        }
        return greeting.starts(with: Array("{\"QMP\"".utf8))
    }

    deinit { end() }

    func end() {
        try? handle.signal(SIGKILL)
        while !handle.hasExited { usleep(1000) }
    }

    /// Runs `body` with a client of its monitor, then disconnects.
    func ask<T>(_ body: (QMPClient) async throws -> T) async throws -> T {
        let client = try await QMPClient.connect(path: qmp, greetingDeadline: .seconds(10))
        defer { client.close() }
        return try await body(client)
    }

    /// Returns the guest as discovery finds it.
    func guest() async throws -> GuestProcess {
        try #require(await GuestDiscovery.process(handle.identity))
    }

    /// Runs preflight for it.
    func preflight(
        to target: String? = nil, inspect: (PreflightResult) async throws -> Void = { _ in }
    ) async throws -> PreflightReport {
        let request = PreflightRequest(
            process: try await guest(), target: target, stateDirectory: folder.file("state"), handoffID: "0123abcd")
        let result = await Preflight.run(request)
        defer { result.client?.close() }
        try await inspect(result)
        return result.report
    }
}
