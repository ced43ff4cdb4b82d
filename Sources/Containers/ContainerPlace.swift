public import Hypervisors
internal import JSON

/// A container's place in one OS VM: what is made ready for it there, and what is seen of it.
///
/// Everything is one shell script for one call of the agent: each is a round trip through two kernels.
public struct ContainerPlace: Sendable {
    /// The container.
    public let spec: ContainerSpec
    /// The OS VM.
    public let system: Hypervisor

    /// Describes a place.
    ///
    /// - Parameters:
    ///   - spec: The container.
    ///   - system: The OS VM.
    public init(_ spec: ContainerSpec, in system: Hypervisor) {
        self.spec = spec
        self.system = system
    }

    var name: String { spec.name }
    var files: ContainerFiles { ContainerFiles(container: spec.name) }
    var agent: HypervisorAgent { system.agent }

    /// Mounts the bundle, makes network and control group, and remembers where the image store is.
    ///
    /// Nothing to do for what is there already.
    ///
    /// - Parameters:
    ///   - store: The block device of the image store here, such as `/dev/pmem0`.
    ///   - rootFolder: The folder of the root file system within the bundle.
    /// - Throws: ``HypervisorError``.
    public func prepare(store: String, rootFolder: String) async throws(HypervisorError) {
        try await agent.run(
            """
            umask 077
            mkdir -p \(files.bundle) \(files.runtimeBundle) \(files.root) \(files.store)
            echo "$1" >\(files.deviceFile)
            is_mounted() { grep -q " $1 " /proc/self/mounts; }
            tries=0
            until is_mounted \(files.bundle) || mount -t virtiofs \(name) \(files.bundle) 2>\(files.directory)/mount.log; do
                tries=$((tries + 1)); [ $tries -lt 100 ] || { cat \(files.directory)/mount.log >&2; exit 1; }
                sleep 0.1
            done
            # Private: what runc and CRIU make of it must not depend on where it was mounted from.
            mount --make-private \(files.bundle)
            if ! is_mounted \(files.root); then
                mount --bind "\(files.bundle)/$2" \(files.root)
                mount --make-private \(files.root)
            fi
            mkdir -p \(files.controlGroupFolder)
            for folder in /sys/fs/cgroup /sys/fs/cgroup/hyperfresh; do
                echo "+memory +pids +cpu" >"$folder/cgroup.subtree_control"
            done
            echo \(spec.memory) >\(files.controlGroupFolder)/memory.max
            for pipe in done timers; do [ -p \(files.directory)/$pipe ] || mkfifo \(files.directory)/$pipe; done
            \(ContainerNetwork.prepare(spec, in: system.record.runName))
            """, [store, rootFolder], to: "prepare container \(name)", within: .seconds(60))
    }

    /// Takes away what ``prepare(store:rootFolder:)`` made, so that the bundle and the store can be unplugged.
    ///
    /// - Throws: ``HypervisorError``.
    public func clear() async throws(HypervisorError) {
        try await agent.run(
            """
            for folder in \(files.store) \(files.root) \(files.bundle); do
                while grep -q " $folder " /proc/self/mounts; do umount "$folder" 2>/dev/null || umount --lazy "$folder"; done
            done
            \(ContainerNetwork.remove(spec))
            rmdir \(files.controlGroupFolder) 2>/dev/null || true
            rm -rf \(files.directory)
            """, to: "clear up after container \(name)", within: .seconds(30))
    }

    /// Starts the container anew by runc, in a systemd unit.
    ///
    /// - Parameter bundle: Its bundle.
    /// - Throws: ``HypervisorError`` with runc's words.
    public func start(_ bundle: OCIBundle) async throws(HypervisorError) {
        try await agent.run(
            """
            cat >\(files.runtimeBundle)/config.json
            rm -f \(files.pidFile) \(files.directory)/runc.log
            runc delete --force \(name) 2>/dev/null || true
            \(ContainerNetwork.connect(spec))
            \(ContainerNetwork.announce(spec))
            \(starting(files.unit))
            tries=0
            until [ -s \(files.pidFile) ]; do
                tries=$((tries + 1))
                systemctl is-active --quiet \(files.unit) && [ $tries -lt 300 ] || {
                    sed 's/.*msg=//' \(files.directory)/runc.log >&2; exit 1; }
                sleep 0.1
            done
            """, [Self.running(files)], input: Array(bundle.runtimeConfig(of: spec).encoded().utf8),
            to: "start container \(name)", within: .seconds(60))
    }

    /// Shell lines that start a unit with the script `$1`.
    ///
    /// From a file: of what stands on a command line systemd expands variables.
    func starting(_ unit: String) -> String {
        """
        printf '%s\\n' "$1" >\(files.directory)/\(unit).sh
        systemctl reset-failed \(unit) 2>/dev/null || true
        systemd-run --quiet --collect --unit=\(unit) /bin/sh -u \(files.directory)/\(unit).sh
        """
    }

    /// What the unit runs: it lasts as long as the container's first process.
    private static func running(_ files: ContainerFiles) -> String {
        """
        runc --log \(files.directory)/runc.log run --detach --pid-file \(files.directory)/pid.new \
            --bundle \(files.runtimeBundle) \(files.container) </dev/null 2>&1 | cat >\(files.console) &
        until [ -s \(files.directory)/pid.new ]; do kill -0 $! 2>/dev/null || exit 1; sleep 0.1; done
        mv \(files.directory)/pid.new \(files.pidFile)
        exec tail --pid="$(cat \(files.pidFile))" -s 0.5 -f /dev/null
        """
    }

    /// Tells the container to end, and ends it when it does not.
    ///
    /// - Parameter grace: How long it may take after SIGTERM; zero ends it at once.
    /// - Throws: ``HypervisorError`` when that cannot be made sure of.
    public func stop(grace: Duration) async throws(HypervisorError) {
        let tenths = Int(grace.components.seconds * 10)
        try await agent.run(
            """
            if [ $1 -gt 0 ] && runc kill \(name) TERM 2>/dev/null; then
                tries=0
                while [ $tries -lt $1 ] && systemctl is-active --quiet \(files.unit); do
                    tries=$((tries + 1)); sleep 0.1
                done
            fi
            \(ending)
            runc delete --force \(name) 2>/dev/null || true
            """, ["\(tenths)"], to: "stop container \(name)", within: grace + .seconds(30))
    }

    /// Shell lines that end every process of the container, frozen or not, and wait until they are gone.
    var ending: String {
        """
        for unit in \(files.unit) \(files.leavingUnit); do systemctl kill --signal=KILL $unit 2>/dev/null || true; done
        if [ -e \(files.controlGroupFolder)/cgroup.kill ]; then
            echo 1 >\(files.controlGroupFolder)/cgroup.kill
            tries=0
            until grep -q 'populated 0' \(files.controlGroupFolder)/cgroup.events; do
                tries=$((tries + 1)); [ $tries -lt 300 ] || { echo "its processes do not end" >&2; exit 1; }
                sleep 0.05
            done
            echo 0 >\(files.controlGroupFolder)/cgroup.freeze
        fi
        systemctl stop \(files.unit) 2>/dev/null || true
        systemctl reset-failed \(files.unit) 2>/dev/null || true
        rm -f \(files.pidFile)
        """
    }
}
