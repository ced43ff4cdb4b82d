import JSON
@testable import QEMUCommandLine
import QMP
@testable import StackFile
import Testing
@testable import VirtualMachines

extension VirtualMachinesTests {
    /// Compares command lines and hot-plug commands with Fixtures/command-lines.
    @Suite struct CommandLineTests {
        private static func stack() throws -> Stack {
            let bytes = Array(try GoldenFile("command-lines/stack.yaml").text.utf8)
            return try Stack.parse(bytes, path: "stack.yaml", directory: "/etc/hyperfresh")
        }

        private static func image(_ name: String) -> HypervisorImage {
            let folder = "/var/cache/hyperfresh/hypervisor/\(name)"
            return HypervisorImage(
                name: name, directory: folder, kernelRelease: "6.1.0-50-cloud-amd64",
                qemuVersion: "7.2+dfsg-7+deb12u18", kernel: "\(folder)/vmlinuz", initramfs: "\(folder)/initramfs.gz",
                root: "\(folder)/root.erofs", kernelArguments: "console=ttyS0")
        }

        private static func instance(_ id: String, of hypervisor: HypervisorSpec, in stack: Stack) -> HypervisorInstance
        {
            HypervisorInstance(
                id: id, folder: InstanceFolder("/run/hyperfresh/hypervisors/\(id)"),
                uuid: "0b7d4ae2-9c1f-4a53-8e6d-2f1b5c3a7e90", hostname: id,
                networks: stack.networks(of: hypervisor))
        }

        @Test func aHypervisorWithEverything() throws {
            let stack = try Self.stack()
            let alpha = stack.hypervisors[0]
            let line = OuterCommandLine(
                alpha, in: stack, image: Self.image("standard"),
                instance: Self.instance("alpha-1", of: alpha, in: stack),
                host: .init(usesKVM: true))
            try GoldenFile("command-lines/outer-alpha.args").expect([line.executable] + line.arguments)
        }

        @Test func anEmulatedHypervisor() throws {
            let stack = try Self.stack()
            let beta = stack.hypervisors[1]
            let line = OuterCommandLine(
                beta, in: stack, image: Self.image("beta"), instance: Self.instance("beta-2", of: beta, in: stack),
                host: .init(usesKVM: false, tscKilohertz: 2_594_263))
            try GoldenFile("command-lines/outer-beta.args").expect([line.executable] + line.arguments)
        }

        @Test func anOSVM() throws {
            let bytes = Array(try GoldenFile("command-lines/systems.yaml").text.utf8)
            let stack = try Stack.parse(bytes, path: "systems.yaml", directory: "/etc/hyperfresh")
            for system in stack.systems {
                let line = OuterCommandLine(
                    system, in: stack, image: Self.image("standard"),
                    instance: Self.instance("\(system.name)-1", of: system, in: stack),
                    host: .init(usesKVM: false, tscKilohertz: 2_594_263))
                try GoldenFile("command-lines/outer-\(system.name).args").expect([line.executable] + line.arguments)
            }
        }

        @Test func portsForSharesAreToldFromShares() {
            #expect(HotPlug.Share.isPort("share0") && HotPlug.Share.isPort("share27"))
            for device in ["share-0", "share-redis", "share", "hot0", "share0x"] {
                #expect(!HotPlug.Share.isPort(device))
            }
        }

        @Test func hotPlugMessagesForAContainer() throws {
            let store = HotPlug.Memory(
                container: "redis", store: "/dev/shm/hyperfresh-demo/redis.store",
                shape: StoreFileShape(memory: 256 << 20))
            let share = HotPlug.Share(
                container: "redis", socket: "/run/hyperfresh/hypervisors/gamma/1f3c/redis.fs", port: "share1")
            let removal = HotPlug.Share.removal(of: "redis")
            let steps = [store.steps, share.steps, removal].flatMap(\.commands)
            try GoldenFile("command-lines/hot-plug-redis.txt").expect(
                steps.map { "\($0.name) \(JSONValue.object($0.arguments))" })
            #expect(removal.device == share.steps.device)
        }

        @Test func aGuestThatIsStarted() throws {
            let stack = try Self.stack()
            for guest in stack.hypervisors.flatMap(\.guests) {
                let line = InnerCommandLine(guest, dax: "/dev/dax0.0", isIncoming: false)
                try GoldenFile("command-lines/inner-\(guest.name).args").expect([line.executable] + line.arguments)
            }
        }

        @Test func theNewSideDiffersInWhatMakesItWaitOnly() throws {
            for guest in try Self.stack().hypervisors.flatMap(\.guests) {
                let old = InnerCommandLine(guest, dax: "/dev/dax0.0", isIncoming: false)
                let new = InnerCommandLine(guest, dax: "/dev/dax1.0", isIncoming: true)
                let moved = old.arguments.map { $0.replacing("/dev/dax0.0", with: "/dev/dax1.0") }
                #expect(new.arguments == moved + ["-S", "-incoming", "defer"])
            }
        }

        @Test func hotPlugMessages() throws {
            let stack = try Self.stack()
            let guest = stack.hypervisors[0].guests[0]
            let memory = HotPlug.Memory(
                guest: guest.name, path: stack.memoryFile(of: guest.name), shape: MemoryFileShape(memory: guest.memory),
                hugePages: .twoMiB)
            let disk = HotPlug.Disk(guest.disks[0], of: guest.name, isBlockDevice: false, bypassesCache: true)
            let relay = HotPlug.Relay(guest: guest.name, socket: "/run/hyperfresh/hypervisors/alpha-1/web.sock")
            let console = HotPlug.Console(guest: guest.name, log: "/run/hyperfresh/hypervisors/alpha/web.console.log")
            func line<Command: QMPCommand>(_ command: Command) -> String {
                "\(Command.name) \(JSONValue.object(command.arguments))"
            }
            try GoldenFile("command-lines/hot-plug-web.txt").expect([
                line(memory.backend), line(memory.device), line(console.chardev), line(console.device), line(disk.node),
                line(disk.device), line(disk.unplug),
                line(disk.close), line(relay.chardev), line(relay.device), line(relay.unplug), line(relay.remove),
            ])
        }

        @Test func namesFitTheirPlaces() {
            let long = String(repeating: "x", count: NameRule.ordinaryLimit)
            let disk = String(repeating: "d", count: NameRule.diskLimit)
            let files = InnerGuestFiles(guest: long)
            #expect(files.serial(disk).utf8.count <= 36)
            for index in 0..<100 { #expect(files.tap(index).utf8.count <= 15) }
            #expect(InnerGuestFiles.bridge(String(repeating: "n", count: NameRule.networkLimit)).utf8.count <= 15)
            #expect(HypervisorInstance.tapName(instance: long, network: "lan").utf8.count == 15)
            #expect("\(files.qmp).hf-0badcafe".utf8.count < 108)
        }

        @Test func longNamesThatBeginAlikeHaveTapsOfTheirOwn() {
            let taps = (0..<200).map { InnerGuestFiles(guest: "database-shard-\($0)").tap(0) }
            #expect(Set(taps).count == taps.count)
            #expect(InnerGuestFiles(guest: "web").tap(0) == "web_0")
        }

        /// A bridge takes the lowest address of its ports: a tap must not change it.
        @Test func tapsOnABridgeComeAfterItsCards() {
            let address = HypervisorInstance.tapAddress(on: "br0")
            #expect(address.hasPrefix("fe:") && HardwareAddress.normalized(address) == address)
            #expect(HypervisorInstance.tapAddress(on: "br1") != address)
        }

        @Test func commasAreDoubled() {
            #expect(OptionText.make("file", [("path", "/a,b")]) == "file,path=/a,,b")
        }

        @Test func theMachineDefinitionIsThatOfTheRepository() throws {
            let file = try GoldenFile("../../../qemu-configs/hypervisor.cfg").text
            #expect(String(decoding: OuterCommandLine.machineDefinition, as: UTF8.self) == file)
        }
    }
}
