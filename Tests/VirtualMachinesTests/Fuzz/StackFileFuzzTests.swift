import Linux
@testable import StackFile
import TestTools
import Testing
@testable import VirtualMachines

/// Feeds mutated stack files to their reader, and the result to the code that makes command lines and scripts.
@Suite struct StackFileFuzzTests {
    private static func corpus() throws -> FuzzCorpus {
        let folder = "\(Place.repository)/Tests/StackFileTests/Fixtures/bad-stacks"
        let bad = try ProcFS.names(inFolder: folder).sorted().map { "\(folder)/\($0)" }
        let good = ["stack", "systems"].map {
            "\(Place.repository)/Tests/VirtualMachinesTests/Fixtures/command-lines/\($0).yaml"
        }
        let files = try (good + bad).map { try Files.readAll($0) }
        let aliases = "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nd: &d [*c, *c, *c, *c]\nname: *d\n"
        return FuzzCorpus(
            inputs: files + [aliases, "", "---\n", "- 1\n", "{", "!!binary x", "? a\n: b\n"].map { Array($0.utf8) },
            tokens: [
                "version: 1\n", "name: ", "hypervisors:\n", "  - ", "    guests:\n", "      - name: g\n", "memory: ",
                "16M",
                "1T", "2G", "cpus: ", "boot: disk", "boot: {kernel: /k}", "disks: [", "networks: [", "]", "{", "}",
                "- ",
                "&a ", "*a", "<<: ", "|\n", ">\n", "\"", "'", "#", "!!str ", "%YAML 1.1\n", "---\n", "...\n", "\t",
                "null",
                "~", "yes", "../", "/", "$(id)", "`id`", ";", "cores: ", "0-3", "0-99999999999", "spare-guests: ",
                "mac: ",
                "52:54:00:00:00:01", "functions: [", "0000:01:00.1", "extra-arguments: [", "\\x07", "\\U0010FFFF",
                "\\0", "systems:\n", "    containers:\n", "      - {name: c, bundle: ./b}\n", "bundle: ",
                "network: {network: lan, address: 10.0.0.5/24}", "gateway: ", "fd00::5/64", "/33",
            ].map { Array($0.utf8) }, largestInput: 8000)
    }

    private static let image = HypervisorImage(
        name: "i", directory: "/i", kernelRelease: "6.1", qemuVersion: "7.2", kernel: "/i/vmlinuz",
        initramfs: "/i/initrd", root: "/i/root", kernelArguments: "console=ttyS0")

    @Test func theReaderHoldsItsProperties() async throws {
        let failure = await Fuzz("stack", try Self.corpus(), inputs: 2000).run { input, _ in try Self.check(input) }
        #expect(failure == nil)
    }

    private static func check(_ input: [UInt8]) throws {
        let stack: Stack
        do throws(StackError) {
            stack = try Stack.parse(input, path: "stack.yaml", directory: "/etc/stacks")
        } catch {
            guard !error.problems.isEmpty, error.problems.count <= 100, !error.description.isEmpty else {
                throw Fuzz.Violation("refused without a word, or with too many: \(error.problems.count)")
            }
            return
        }
        try checkNames(stack)
        for hypervisor in stack.hypervisors { try check(hypervisor, of: stack) }
        for container in stack.containers { try check(container) }
    }

    /// Addresses become words in shell scripts, bundles elements of comma-separated lists.
    private static func check(_ container: ContainerSpec) throws {
        let words = container.card.map { [$0.address, $0.gateway ?? "", $0.mac] } ?? []
        let allowed = "0123456789abcdefghijklmnopqrstuvwxyz.:/-"
        guard words.allSatisfy({ $0.allSatisfy(allowed.contains) }), !container.bundle.contains(",") else {
            throw Fuzz.Violation("an address or a bundle that is more: \(words) \(container.bundle)")
        }
        guard StoreFileShape(memory: container.memory).fileSize % MemoryFileShape.regionAlignment == 0 else {
            throw Fuzz.Violation("a store of no size for Linux")
        }
        _ = HotPlug.Share(container: container.name, socket: "/s", port: "share0").steps
    }

    /// Names become parts of paths, units and shell scripts that run as root.
    private static func checkNames(_ stack: Stack) throws {
        let guests = stack.hypervisors.flatMap(\.guests)
        var names = [stack.name] + stack.networks.map(\.name) + stack.hypervisors.map(\.name)
        for guest in guests { names += [guest.name] + guest.disks.map(\.name) + guest.networks.map(\.network) }
        for container in stack.containers { names += [container.name] + [container.card?.network].compactMap(\.self) }
        for name in names {
            let isPlain = name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
            guard isPlain, (1...20).contains(name.utf8.count), !name.hasPrefix("-") else {
                throw Fuzz.Violation("a name that is more than a name: \(name)")
            }
        }
        var paths = [stack.hyperplexor.memoryDirectory] + guests.flatMap { $0.disks.map(\.path) }
        for container in stack.containers { paths += [container.bundle, stack.storeFile(of: container.name)] }
        for path in paths where !path.hasPrefix("/") || path.split(separator: "/").contains("..") {
            throw Fuzz.Violation("a path that may lead elsewhere: \(path)")
        }
    }

    private static func check(_ hypervisor: HypervisorSpec, of stack: Stack) throws {
        let folder = InstanceFolder("/run/hyperfresh/hypervisors/\(hypervisor.name)/1f3c")
        let instance = HypervisorInstance(
            id: "\(hypervisor.name)-1f3c", folder: folder, uuid: "0b7d4ae2-9c1f-4a53-8e6d-2f1b5c3a7e90", hostname: "h",
            networks: stack.networks(of: hypervisor))
        let outer = OuterCommandLine(
            hypervisor, in: stack, image: image, instance: instance, host: .init(usesKVM: false, tscKilohertz: 1))
        var words = [outer.executable] + outer.arguments
        for guest in hypervisor.guests {
            words += InnerCommandLine(guest, dax: "/dev/dax0.0", isIncoming: true).arguments
            guard folder.relaySocket(guest.name).utf8.count <= 107 else { throw Fuzz.Violation("a path is too long") }
            for disk in guest.disks {
                _ = HotPlug.Disk(disk, of: guest.name, isBlockDevice: false, bypassesCache: true).steps
            }
        }
        guard words.allSatisfy({ !$0.utf8.contains(0) }) else { throw Fuzz.Violation("a zero byte in an argument") }
        _ = stack.cores(of: hypervisor.name)
    }
}
