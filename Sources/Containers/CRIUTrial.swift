public import Hypervisors

/// What CRIU is told alike whenever it dumps or restores.
enum CRIUOptions {
    /// A dump and its restore must agree in these.
    static let shared = "--tcp-established --network-lock nftables --file-locks --link-remap --manage-cgroups=ignore"
}

/// A trial of CRIU in an OS VM, with a process that nobody needs, before any container stands still.
///
/// That CRIU is content with the kernel (`criu check`) does not say that it can dump and restore there. And what is done for the
/// first time takes longer: programs and libraries are read from the image, the kernel finds modules, and under emulation all of
/// their code is translated.
extension Hypervisor {
    private static let tried = "/run/hyperfresh/criu-tried"

    /// Dumps a process and restores it, and calls the programs that CRIU calls; once in the life of an OS VM.
    ///
    /// - Throws: ``HypervisorError`` with CRIU's words.
    public func tryCRIU() async throws(HypervisorError) {
        try await agent.run(
            """
            [ ! -e \(Self.tried) ] || exit 0
            folder=$(mktemp -d /run/hyperfresh/trial.XXXXXX) pid=
            trap '[ -z "$pid" ] || kill -KILL $pid 2>/dev/null; rm -rf $folder' EXIT
            options="--images-dir $folder --log-file criu.log \(CRIUOptions.shared)"
            setsid sleep 600 </dev/null >/dev/null 2>&1 &
            pid=$!
            until read -r program </proc/$pid/comm && [ $program = sleep ]; do :; done
            criu dump --tree $pid $options >/dev/null 2>&1 || { grep Error $folder/criu.log >&2; exit 1; }
            wait $pid || true
            pid=
            criu restore $options --restore-detached --leave-stopped --pidfile $folder/pid >/dev/null 2>&1 || {
                grep Error $folder/criu.log >&2; exit 1; }
            # It ends without a newline, which `read` calls a failure.
            read -r pid <$folder/pid || true
            # As CRIU keeps the contents of a tmpfs.
            tar --create --gzip --directory $folder --exclude=pid . | tar --list --gzip >/dev/null
            touch \(Self.tried)
            """, to: "try a dump and a restore in OS VM \(record.hypervisor)", within: .seconds(60))
    }
}
