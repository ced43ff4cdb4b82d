import Glibc
public import Linux

/// The kernel and the initramfs of the canary guest, as `scripts/build-canary` leaves them.
public struct CanaryArtifacts: Sendable, Hashable {
    /// Debian's cloud kernel.
    public let kernel: String
    /// The canary as init, with the modules that it needs.
    public let initramfs: String

    /// Looks in a cache folder.
    ///
    /// - Parameter cache: The folder; `nil` for `$HYPERFRESH_CACHE`, else `.cache` in the working folder.
    /// - Throws: ``CanaryError/notBuilt(path:)``.
    public init(cache: String? = nil) throws(CanaryError) {
        let folder = cache ?? getenv("HYPERFRESH_CACHE").map { String(cString: $0) } ?? ".cache"
        kernel = "\(folder)/canary/vmlinuz"
        initramfs = "\(folder)/canary/initramfs.gz"
        for path in [kernel, initramfs] where !Files.exists(path) { throw CanaryError.notBuilt(path: path) }
    }
}

/// Where one canary guest's files are.
public struct CanaryFiles: Sendable, Hashable {
    /// A word that no other guest has in its paths.
    public let unique: String
    /// The folder of all but the memory.
    public let directory: String
    /// The guest's memory, on tmpfs.
    public let memory: String
    /// Its QMP socket.
    public var qmp: String { "\(directory)/qmp.sock" }
    /// What it says on its serial port.
    public var serial: String { "\(directory)/serial.log" }
    /// Its QEMU's pid.
    public var pidFile: String { "\(directory)/qemu.pid" }
    /// What its QEMU says on standard error.
    public var errors: String { "\(directory)/qemu.err" }

    /// Files for one guest in a folder of its own, which is made.
    ///
    /// - Parameter name: Distinguishes guests of this process in folder names.
    /// - Throws: `SystemError`.
    public init(name: String) throws(SystemError) {
        unique = "\(name)-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        directory = "/tmp/canary-\(unique)"
        memory = "/dev/shm/canary-\(unique)"
        try Files.createDirectory(directory, mode: 0o700)
    }

    /// Files for one guest where the caller wants them.
    ///
    /// - Parameters:
    ///   - unique: A word that is part of both paths and of no other guest's.
    ///   - directory: The folder of all but the memory, which is made.
    ///   - memory: The file of the guest's memory, on tmpfs.
    /// - Throws: `SystemError`.
    public init(unique: String, directory: String, memory: String) throws(SystemError) {
        self.unique = unique
        self.directory = directory
        self.memory = memory
        try Files.createDirectory(directory, mode: 0o700)
    }

    func createMemory(mebibytes: Int) throws(SystemError) {
        let file = try Descriptor.open(memory, flags: O_RDWR | O_CREAT | O_EXCL)
        guard ftruncate(file.number, mebibytes << 20) == 0 else {
            throw SystemError(operation: "ftruncate", subject: memory, code: errno)
        }
    }

    /// The end of what the guest has said on its serial port: room for some of its reports.
    func serialTail() throws(SystemError) -> String {
        let file = try Descriptor.open(serial, flags: O_RDONLY)
        let size = try Files.status(of: file).size
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        let count = pread(file.number, &bytes, bytes.count, off_t(max(0, size - Int64(bytes.count))))
        guard count >= 0 else { throw SystemError(operation: "pread", subject: serial, code: errno) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    func lastWords() -> String {
        [errors, serial].map { path in
            let bytes = (try? Files.readAll(path)) ?? []
            return "\(path): \(String(decoding: bytes.suffix(2000), as: UTF8.self))"
        }.joined(separator: "\n")
    }

    func remove() {
        unlink(memory)
        Self.removeTree(directory)
    }

    private static func removeTree(_ path: String) {
        let isFolder = (try? Files.status(path, followingLinks: false))?.kind == .directory
        guard isFolder else {
            unlink(path)
            return
        }
        for name in (try? ProcFS.names(inFolder: path)) ?? [] { removeTree("\(path)/\(name)") }
        rmdir(path)
    }
}
