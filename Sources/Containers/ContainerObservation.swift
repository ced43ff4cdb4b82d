public import Hypervisors

/// What is seen of a container in one OS VM.
public enum ContainerObservation: String, Sendable, Hashable {
    /// It has no process there.
    case gone
    /// Its processes run.
    case running
    /// Its processes are frozen, as before they are moved.
    case frozen
    /// Its processes are stopped, as they are restored.
    case stopped
    /// Its processes are being restored.
    case arriving
}

extension ContainerPlace {
    /// Looks at the container.
    ///
    /// - Returns: What is seen.
    /// - Throws: ``HypervisorError`` when the agent does not answer.
    public func observe() async throws(HypervisorError) -> ContainerObservation {
        let word = try await agent.run(
            """
            folder=\(files.controlGroupFolder)
            if ! [ -e $folder/cgroup.events ] || grep -q 'populated 0' $folder/cgroup.events; then echo gone; exit; fi
            if grep -q 1 $folder/cgroup.freeze; then echo frozen; exit; fi
            if ! [ -s \(files.pidFile) ]; then echo arriving; exit; fi
            state=$(sed 's/.*) //; s/ .*//' /proc/$(cat \(files.pidFile))/stat)
            if [ "$state" = T ]; then echo stopped; else echo running; fi
            """, to: "look at container \(name)", within: .seconds(15))
        guard let observation = ContainerObservation(rawValue: word.filter { !$0.isWhitespace }) else {
            throw HypervisorError(
                "it cannot be said what container \(name) does", remedy: "See the console of its OS VM.",
                evidence: [word])
        }
        return observation
    }
}
