import Linux
import QMP
import StackFile
import VirtualMachines

/// A guest in its hypervisor's own memory, moved by ordinary migration.
final class CopyGuest {
    let name: String
    let console: ConsoleWatch
    private let spec: InnerGuestSpec
    private let log: String
    /// Its current hypervisor, and its monitor there.
    private var placement: (hypervisor: Hypervisor, client: QMPClient)?

    init(_ spec: InnerGuestSpec, console log: String) {
        self.spec = spec
        self.log = log
        name = spec.name
        console = ConsoleWatch(path: log)
    }

    /// Plugs in what the guest needs except memory, and copies its boot files; skips what is present.
    func attach(to hypervisor: Hypervisor, tools: Tools) async throws {
        let boot = [("kernel", tools.kernel), ("initramfs", tools.initramfs)]
        let disks = boot.map { name, path in
            HotPlug.Disk(
                DiskSpec(name: name, path: path, format: .raw, isReadOnly: true), of: self.name, isBlockDevice: false,
                bypassesCache: Files.bypassesCache(path)
            ).steps
        }
        try await hypervisor.attach(
            [
                HotPlug.Console(guest: name, log: log).steps,
                HotPlug.Relay(guest: name, socket: hypervisor.folder.relaySocket(name)).steps,
            ] + disks)
        let files = InnerGuestFiles(guest: name)
        for (kind, path) in boot {
            let target = kind == "kernel" ? files.kernel : files.initramfs
            try await hypervisor.agent.run(
                """
                mkdir -p -m 0700 \(InnerGuestFiles.bootDirectory)
                tries=0
                while ! [ -b "$1" ]; do
                    tries=$((tries + 1)); [ $tries -lt 600 ] || { echo "$1 did not appear" >&2; exit 1; }
                    sleep 0.1
                done
                [ -s "$3" ] || head -c "$2" "$1" >"$3"
                """, [files.device(kind), "\(try Files.status(path).size)", target], to: "bring boot files",
                within: .seconds(120))
        }
    }

    func start(in hypervisor: Hypervisor) async throws {
        placement = (hypervisor, try await launch(in: hypervisor, isIncoming: false))
    }

    /// Starts a QEMU that waits for the guest, with the same kind of channel as a refresh uses.
    func prepareJourney(from old: Hypervisor, to new: Hypervisor, number: Int) async throws -> CopyJourney {
        guard let placement, placement.hypervisor === old else {
            throw BenchError("guest \(name) is not in the old hypervisor")
        }
        let client = try await launch(in: new, isIncoming: true)
        // A port name cannot be reused after the port was closed: the journey's number makes names unique.
        let channel = StateChannel(guest: "\(name)-\(number)", old: old, new: new)
        try await channel.open()
        let journey = CopyJourney(guest: name, old: placement.client, new: client, newHypervisor: new, channel: channel)
        try await journey.prepare()
        return journey
    }

    /// Ends the QEMU that had the guest.
    func arrived(_ journey: CopyJourney) async throws {
        guard let placement else { return }
        placement.client.close()
        try await InnerUnit(name).end(by: placement.hypervisor.agent, within: .seconds(30))
        await journey.channel.close()
        self.placement = (journey.newHypervisor, journey.new)
    }

    /// Stops or resumes the guest.
    func setRunning(_ running: Bool) async throws { try await placement?.client.setRunning(running) }

    /// Disconnects from it; it ends with its hypervisor.
    func close() {
        console.end()
        placement?.client.close()
    }

    /// hyperfresh's own command line, except for the memory, and for the resume, which QEMU does itself here.
    private func launch(in hypervisor: Hypervisor, isIncoming: Bool) async throws -> QMPClient {
        let command = InnerCommandLine(spec, dax: "/dev/null", isIncoming: isIncoming)
        var arguments = command.arguments.filter { $0 != "-S" }
        guard let index = arguments.firstIndex(of: "-object") else { throw BenchError("no memory backend found") }
        arguments[index + 1] = "memory-backend-ram,id=ram0,size=\(spec.memory)"
        return try await InnerUnit(name).start(
            [command.executable] + arguments, cards: [], channel: hypervisor.folder.relaySocket(name),
            by: hypervisor.agent)
    }
}
