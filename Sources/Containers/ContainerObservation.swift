public import Hypervisors

/// What is seen of a container in one OS VM.
public enum ContainerObservation: String, Sendable, Hashable {
    /// It has no process there.
    case gone
    /// Its processes run.
    case running
    /// Its processes are frozen, as before they are moved.
    case frozen
    /// Processes of it are stopped, as they are restored.
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
            # One that is stopped is enough: whoever continued them may have died half-way.
            while read -r process; do
                state=$(sed 's/.*) //; s/ .*//' /proc/$process/stat 2>/dev/null) || continue
                [ "$state" != T ] || { echo stopped; exit; }
            done <$folder/cgroup.procs
            echo running
            """, to: "look at container \(name)", within: .seconds(15))
        guard let observation = ContainerObservation(rawValue: word.filter { !$0.isWhitespace }) else {
            throw HypervisorError(
                "it cannot be said what container \(name) does", remedy: "See the console of its OS VM.",
                evidence: [word])
        }
        return observation
    }
}
