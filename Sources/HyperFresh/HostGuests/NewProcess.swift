import Glibc
import Guests
import Linux

/// Everything that a new QEMU starts with: the plan's command line, the old process's context and rights, and
/// descriptors taken out of it.
///
/// Holds the descriptors until the process has its own copies.
struct NewProcess: ~Copyable {
    private let plan: LaunchPlan
    private let old: OldQEMU
    private var taken = DescriptorList()
    private var pairs: [SpawnRequest.InheritedDescriptor] = []
    /// The taps among the descriptors, whose settings have to be kept while the new QEMU starts.
    private(set) var taps: [TapHeader] = []

    init(plan: LaunchPlan, old: OldQEMU, errorOutput: ErrorOutput) throws(SystemError) {
        self.plan = plan
        self.old = old
        for descriptor in plan.descriptors { try take(descriptor) }
        try inherit(plan.standardInput, as: 0)
        try inherit(plan.standardOutput, as: 1)
        pairs.append(.init(source: errorOutput.number, number: 2))
    }

    /// Returns a request with the user, limits, control group, scheduling and namespaces of the old process; never with
    /// more rights.
    func request() throws(SystemError) -> SpawnRequest {
        let pid = old.process.identity.pid
        var request = SpawnRequest(
            executable: plan.executable, arguments: plan.arguments, environment: plan.environment)
        request.workingDirectory = plan.workingDirectory
        request.descriptors = pairs
        request.credentials = try credentials(of: pid)
        request.umask = request.credentials?.umask
        request.limits = try ProcFS.limits(pid)
        request.oomScoreAdjustment = try ProcFS.oomScoreAdjustment(pid)
        request.schedulingOf = old.process.identity
        request.cgroupFolder = ControlGroup.folder(of: old.process.identity)
        request.namespacesOf = old.process.identity
        return request
    }

    /// Returns the credentials of the old process; `nil` for a QEMU that drops its rights itself (`-runas`) and so
    /// starts with those of the controller, as the old one did.
    private func credentials(of pid: Int32) throws(SystemError) -> ProcessCredentials? {
        plan.startsAsController ? nil : try ProcFS.credentials(pid)
    }

    private mutating func take(_ wanted: PlannedDescriptor) throws(SystemError) {
        let descriptor =
            switch wanted.source {
            case .oldProcess(let number): try old.handle.descriptor(number)
            case .vhostNet: try openLike("/dev/vhost-net")
            }
        if case .tap = wanted.role { taps.append(try TapHeader(of: descriptor)) }
        pairs.append(.init(source: descriptor.number, number: wanted.number))
        taken.append(descriptor)
    }

    /// Opens a device that the old process has open, so that the new one gets no additional right.
    private func openLike(_ device: String) throws(SystemError) -> Descriptor {
        guard try Self.holds(device, process: old.process.identity.pid) else {
            throw SystemError(
                operation: "open", subject: device, code: EPERM, detail: "the guest's QEMU has not opened it")
        }
        return try Descriptor.open(device, flags: O_RDWR)
    }

    static func holds(_ device: String, process: Int32) throws(SystemError) -> Bool {
        try ProcFS.descriptors(process).values.contains(device)
    }

    private mutating func inherit(_ stream: StandardStream, as number: Int32) throws(SystemError) {
        let descriptor =
            switch stream {
            case .oldProcess(let source): try old.handle.descriptor(source)
            case .append(let path):
                try ErrorOutput.open(path, in: plan.workingDirectory, of: old.process.identity.pid)
            }
        pairs.append(.init(source: descriptor.number, number: number))
        taken.append(descriptor)
    }
}
