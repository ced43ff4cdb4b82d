/// A process to be started by `spawn`, detached from us in every way that matters.
public struct SpawnRequest: Sendable {
    /// One of our descriptors and its number in the new process.
    public struct InheritedDescriptor: Sendable, Hashable {
        /// Our number.
        public let source: Int32
        /// The number in the new process, at most once in a request.
        public let number: Int32

        /// Makes a pair from its parts.
        public init(source: Int32, number: Int32) {
            self.source = source
            self.number = number
        }
    }

    /// The path of the program, seen from within the namespaces and the root of the new process; it is not searched for.
    public var executable: String
    /// All of its arguments, [0] first.
    public var arguments: [String]
    /// Its whole environment, as `NAME=value`.
    public var environment: [String]
    /// Its working folder; nil keeps ours.
    public var workingDirectory: String?
    /// What it takes for `/` (chroot(2)); nil keeps ours.
    public var rootDirectory: String?
    /// Its rights; nil for exactly ours.
    ///
    /// It never holds more than these, nor more than we do.
    public var credentials: ProcessCredentials?
    /// What it inherits.
    ///
    /// Of the numbers 0, 1 and 2 those that are not here lead to /dev/null; nothing else is inherited.
    public var descriptors: [InheritedDescriptor] = []
    /// Whose namespaces it lives in; nil for ours.
    public var namespacesOf: ProcessIdentity?
    /// The folder of its control group under /sys/fs/cgroup; nil for ours.
    public var cgroupFolder: String?
    /// Whose CPU affinity and nice value it takes; nil for ours.
    public var schedulingOf: ProcessIdentity?
    /// Whether it leads a session of its own, without a terminal.
    public var newSession = true
    /// The mask for the modes of its new files; nil for ours.
    public var umask: UInt32?
    /// See `ProcFS.oomScoreAdjustment`; nil for ours.
    public var oomScoreAdjustment: Int32?
    /// The resource limits that are to be other than ours.
    public var limits: [ProcessLimit] = []
    /// How long all the steps up to the start of the program may take.
    public var deadline: Duration = .seconds(10)

    /// Makes a request for a program with our rights and surroundings.
    public init(executable: String, arguments: [String], environment: [String] = []) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }
}
