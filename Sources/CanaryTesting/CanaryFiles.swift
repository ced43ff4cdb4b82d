import Glibc
public import Linux

/// Kernel and initramfs of the canary guest, as built by `scripts/build-canary`.
public struct CanaryArtifacts: Sendable, Hashable {
    /// Debian's cloud kernel.
    public let kernel: String
    /// An initramfs with the canary as init, and with the modules that it needs.
    public let initramfs: String

    /// Finds the files in a cache folder.
    ///
    /// - Parameter cache: The folder; `nil` for `$HYPERFRESH_CACHE`, or `.cache` in the working directory if that is
    ///   not set.
    /// - Throws: ``CanaryError/notBuilt(path:)``.
    public init(cache: String? = nil) throws(CanaryError) {
        let folder = cache ?? getenv("HYPERFRESH_CACHE").map { String(cString: $0) } ?? ".cache"
        kernel = "\(folder)/canary/vmlinuz"
        initramfs = "\(folder)/canary/initramfs.gz"
        for path in [kernel, initramfs] where !Files.exists(path) { throw CanaryError.notBuilt(path: path) }
    }
}

/// The paths of one canary guest's files.
public struct CanaryFiles: Sendable, Hashable {
    /// A text that no other guest's paths contain.
    public let unique: String
    /// The folder for all files except the memory.
    public let directory: String
    /// The guest's memory file, on tmpfs.
    public let memory: String
    /// Its QMP socket.
    public var qmp: String { "\(directory)/qmp.sock" }
    /// The log of its serial port.
    public var serial: String { "\(directory)/serial.log" }
    /// Its QEMU's pid.
    public var pidFile: String { "\(directory)/qemu.pid" }
    /// The log of its QEMU's standard error.
    public var errors: String { "\(directory)/qemu.err" }

    /// Creates a new folder for one guest under /tmp.
    ///
    /// - Parameter name: Part of the folder's name; distinguishes guests of this process.
    /// - Throws: `SystemError`.
    public init(name: String) throws(SystemError) {
        unique = "\(name)-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        directory = "/tmp/canary-\(unique)"
        memory = "/dev/shm/canary-\(unique)"
        try Files.createDirectory(directory, mode: 0o700)
    }

    /// Creates a folder for one guest at the given path.
    ///
    /// - Parameters:
    ///   - unique: A text that both paths contain, and no other guest's paths.
    ///   - directory: The folder for all files except the memory; it is created.
    ///   - memory: The guest's memory file, on tmpfs.
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

    /// Returns the end of the serial log, long enough for several reports.
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
