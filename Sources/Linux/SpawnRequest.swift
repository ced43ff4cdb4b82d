internal import Glibc

/// A process for `spawn` to start, detached from this one.
public struct SpawnRequest: Sendable {
    /// A descriptor of this process and its number in the new process.
    public struct InheritedDescriptor: Sendable, Hashable {
        /// The number in this process.
        public let source: Int32
        /// The number in the new process; unique within a request.
        public let number: Int32

        /// Creates a pair from its parts.
        public init(source: Int32, number: Int32) {
            self.source = source
            self.number = number
        }
    }

    /// The path of the program, as seen in the namespaces and root of the new process; PATH is not searched.
    public var executable: String
    /// The command line, argument 0 first.
    public var arguments: [String]
    /// The complete environment, as `NAME=value`.
    public var environment: [String]
    /// The working directory; nil keeps this process's.
    public var workingDirectory: String?
    /// The root directory (chroot(2)); nil keeps this process's.
    public var rootDirectory: String?
    /// User, groups and capabilities; nil keeps this process's.
    ///
    /// The new process never gets more than these, nor more than this process has.
    public var credentials: ProcessCredentials?
    /// The descriptors to inherit; no others are inherited.
    ///
    /// Of the numbers 0, 1 and 2, those not listed here are opened on /dev/null.
    public var descriptors: [InheritedDescriptor] = []
    /// The process whose namespaces to join; nil keeps this process's.
    public var namespacesOf: ProcessIdentity?
    /// The folder of the control group under /sys/fs/cgroup; nil keeps this process's.
    public var cgroupFolder: String?
    /// The process whose CPU affinity and nice value to copy; nil keeps this process's.
    public var schedulingOf: ProcessIdentity?
    /// Whether to start a new session, without a terminal.
    public var newSession = true
    /// The umask; nil keeps this process's.
    public var umask: UInt32?
    /// See `ProcFS.oomScoreAdjustment`; nil keeps this process's.
    public var oomScoreAdjustment: Int32?
    /// The resource limits that differ from this process's.
    public var limits: [ProcessLimit] = []
    /// The longest time that the steps up to execve may take.
    public var deadline: Duration = .seconds(10)

    /// Creates a request for a program with the credentials and surroundings of this process.
    public init(executable: String, arguments: [String], environment: [String] = []) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }
}

/// A list of C strings that ends with a null pointer, as execve(2) expects.
struct CStringArray: ~Copyable {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    /// - Throws: `SystemError` EINVAL if a string contains a zero byte, which would silently truncate it.
    init(_ strings: [String], subject: String) throws(SystemError) {
        if strings.contains(where: { $0.utf8.contains(0) }) {
            throw SystemError(
                operation: "execve", subject: subject, code: EINVAL, detail: "a string contains a zero byte")
        }
        count = strings.count
        pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}

func withOptionalCString<Result>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let string else { return body(nil) }
    return string.withCString(body)
}
