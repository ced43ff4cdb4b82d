import Linux
import StackFile

extension Host {
    /// Brings a stack up: what is not there is made, what has ended is started again, what runs is left alone.
    ///
    /// - Parameters:
    ///   - file: The stack file (docs/stack-file.md).
    ///   - orphans: What becomes of guests and hypervisors that the file has no more.
    ///   - tell: Takes what goes on.
    /// - Throws: With everything that is wrong with the file; or why a hypervisor or guest could not be started: what was
    ///   made for it is gone then.
    public func up(
        file: String, orphans: OrphanPolicy = .refuse, tell: @escaping @Sendable (StackProgress) -> Void = { _ in }
    ) async throws(HyperFreshError) {
        let (stack, text) = try readStack(file)
        try await StackUp(stack: stack, text: text, store: store, orphans: orphans, tell: tell).run()
    }

    /// Takes a stack down: shuts its guests down, ends its hypervisors, and leaves nothing.
    ///
    /// - Parameters:
    ///   - stack: Its name, or its file.
    ///   - grace: How long guests may take to shut themselves down; zero ends them at once.
    ///   - tell: Takes what goes on.
    /// - Throws: If there is no such stack, or a hypervisor does not end.
    public func down(
        stack: String, grace: Duration = .seconds(30), tell: @escaping @Sendable (StackProgress) -> Void = { _ in }
    ) async throws(HyperFreshError) {
        var name = stack
        if try !store.stackNames().contains(stack), stack.contains("/") || stack.contains(".") {
            name = try readStack(stack).0.name
        }
        try await StackDown(name: name, store: store, grace: grace, tell: tell).run()
    }

    /// Every hypervisor of this host with its guests.
    ///
    /// - Returns: What runs, by its own word, and what is wrong with the records of it.
    /// - Throws: If the state folder cannot be read.
    public func hypervisors() async throws(HyperFreshError) -> StackListing {
        try await HypervisorListing(store: store).all()
    }

    /// Begins to replace the hypervisor beneath all of its guests, or the OS VM beneath all of its containers.
    ///
    /// - Parameter request: What to refresh, and within which bounds.
    /// - Returns: The refresh, to watch and to cancel.
    public func refresh(_ request: HypervisorRefreshRequest) -> Operation<HypervisorReport> {
        let cancellation = Cancellation()
        return Operation(cancellation: cancellation.cancel) { tell in
            await HypervisorRefresh(request, host: self, cancellation: cancellation, tell: tell).run()
        }
    }

    /// Begins to relocate a container.
    ///
    /// - Parameter request: What to relocate, and within which bounds.
    /// - Returns: The relocation, to watch and to cancel.
    public func relocate(_ request: RelocationRequest) -> Operation<RelocationReport> {
        let cancellation = Cancellation()
        return Operation(cancellation: cancellation.cancel) { tell in
            await ContainerRelocation(request, host: self, cancellation: cancellation, tell: tell).run()
        }
    }

    private var store: StackStore { StackStore(stateDirectory: stateDirectory) }

    private func readStack(_ file: String) throws(HyperFreshError) -> (Stack, [UInt8]) {
        do {
            // What is remembered is what was understood: read once.
            let (stack, text) = try Stack.read(path: file)
            return (stack, text)
        } catch {
            throw HyperFreshError(
                "\(file) describes no stack", remedy: "docs/stack-file.md describes the format.",
                evidence: "\(error)".split(whereSeparator: \.isNewline).map(String.init),
                exitCode: HyperFreshError.usage)
        }
    }
}
