@testable import StackFile
import Testing

extension StackFileTests {
    /// Checks the stack files in this repository, and the defaults of omitted keys.
    @Suite struct StackExampleTests {
        private static func parse(_ text: String) throws(StackError) -> Stack {
            try Stack.parse(Array(text.utf8), path: "test.yaml", directory: "/etc/stacks")
        }

        @Test func theDemoStackIsRead() throws {
            let stack = try Stack.read(path: "\(StackFileTests.repository)/qemu-configs/stack-demo.yaml").stack
            #expect(stack.name == "demo")
            #expect(stack.directory.hasSuffix("/qemu-configs"))
            #expect(stack.hypervisors.map(\.name) == ["alpha"])
            #expect(stack.hypervisors[0].guests.map(\.name) == ["web", "db", "busy"])
        }

        @Test func theDocumentedExampleIsRead() throws {
            let text = try StackFileTests.text("docs/stack-file.md")
            let example = try #require(
                text.split(separator: "```yaml\n").dropFirst().first?.split(separator: "```").first)
            let stack = try Self.parse(String(example))
            #expect(stack.hyperplexor.cores == [4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 18, 19])
            #expect(stack.hyperplexor.hugePages == .twoMiB)
            #expect(stack.networks.map(\.kind) == [.bridge("br0"), .segment(group: "230.0.0.1", port: 4567)])
            #expect(stack.cores(of: "alpha") == [4, 5, 6, 7])
            #expect(stack.cores(of: "beta") == [8, 9, 12, 13])
            let alpha = stack.hypervisors[0]
            #expect(alpha.haltPolling == 0)
            #expect(alpha.keepsCores)
            #expect(stack.networks(of: alpha).map(\.name) == ["lan", "lab"])
            let web = alpha.guests[0]
            #expect(web.networks == [CardSpec(network: "lan", mac: "52:54:00:12:34:01")])
            #expect(web.disks[0].path == "/etc/stacks/images/web.raw")
            #expect(alpha.guests[1].boot == .disk)
            #expect(stack.systems.map(\.name) == ["gamma", "delta"])
            let card = ContainerCard(
                network: "lan", address: "10.0.0.5/24", gateway: "10.0.0.1", mac: "52:54:00:12:34:02")
            let redis = ContainerSpec(name: "redis", bundle: "/etc/stacks/bundles/redis", memory: 256 << 20, card: card)
            #expect(stack.systems[0].containers[0] == redis)
            #expect(stack.containers.map(\.name) == ["redis", "worker"])
            #expect(stack.networks(of: stack.systems[1]).map(\.name) == ["lan"], "redis may be relocated there")
        }

        /// The document's tables and the reader know the same keys.
        @Test func everyKeyIsDocumented() throws {
            let text = try StackFileTests.text("docs/stack-file.md")
            let documented = text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
                String(line.dropFirst(3).prefix { $0 != "`" })
            }
            let wrong = "version: 1\nname: a\na: 1\nhyperplexor: {a: 1}\nnetworks: [{a: 1}]\nhypervisors: "
            let guests = "[{a: 1, guests: [{a: 1, disks: [{a: 1}], networks: [{a: 1}], boot: {a: 1}}]}]\n"
            let containers = "systems: [{a: 1, containers: [{a: 1, network: {a: 1}}]}]"
            let error = try #require(throws: StackError.self) { try Self.parse(wrong + guests + containers) }
            let lists = error.problems.compactMap { $0.remedy.split(separator: "Known keys: ").last }
            let known = Set(
                lists.filter { $0.hasPrefix("`") }.flatMap { $0.split { "`,. ".contains($0) } }.map(String.init))
            #expect(known.count > 30)
            let inText = ["mac", "address", "gateway", "kernel", "initramfs", "arguments"]
            #expect(known.subtracting(documented) == Set(inText))
        }

        @Test func whatIsNotSaid() throws {
            let stack = try Self.parse(
                """
                version: 1
                name: small
                networks: [{name: lan, bridge: br0}]
                hypervisors:
                  - name: alpha
                    guests:
                      - {name: web, disks: [{name: root, file: web.raw}], networks: [lan, lan]}
                """)
            #expect(
                stack.hyperplexor
                    == HyperplexorSpec(
                        memoryDirectory: "/dev/shm/hyperfresh-small", hugePages: .none, cores: [], accelerator: .auto,
                        qemu: "/usr/bin/qemu-system-x86_64"))
            let alpha = stack.hypervisors[0]
            #expect(alpha.image == "standard" && alpha.memory == 1 << 30 && alpha.cpus == 2 && alpha.spareGuests == 1)
            #expect(!alpha.keepsCores && alpha.haltPolling == nil && alpha.functions.isEmpty)
            let web = alpha.guests[0]
            #expect(web.memory == 512 << 20 && web.cpus == 1 && web.machine == "pc-q35-7.2" && web.cpuModel == "qemu64")
            #expect(web.boot == .disk && web.disks[0].format == .raw && !web.disks[0].isReadOnly)
            // The addresses must never change: a guest keeps them as long as its names are the same.
            #expect(web.networks.map(\.mac) == ["52:54:00:47:af:17", "52:54:00:f9:2e:87"])
        }

        @Test(
            arguments: [
                ("512M", 512 << 20), ("2G", 2 << 30), ("1024k", 1 << 20), ("3GiB", 3 << 30), ("1T", 1 << 40), ("0M", 0),
            ] as [(String, UInt64)])
        func amounts(text: String, bytes: UInt64) {
            #expect(StackReader.bytes(text) == bytes)
        }

        @Test(arguments: ["512", "", "M", "-1M", "1.5G", "1 G", "1X", "0x10M", "１G", "18446744073709551615G", "+1M"])
        func noAmounts(text: String) {
            #expect(StackReader.bytes(text) == nil)
        }

        @Test func aliasesStandForWhatTheyName() throws {
            let stack = try Self.parse(
                """
                version: 1
                name: same
                hypervisors:
                  - name: alpha
                    guests:
                      - {name: a, memory: &size 64M, boot: &boot {kernel: /k}}
                      - {name: b, memory: *size, boot: *boot}
                """)
            #expect(stack.hypervisors[0].guests.map(\.memory) == [64 << 20, 64 << 20])
            #expect(stack.hypervisors[0].guests[1].boot == .kernel(path: "/k", initramfs: nil, arguments: ""))
        }

        @Test func pathsAreMadeAbsolute() throws {
            let reader = StackReader(directory: "/etc/stacks")
            #expect(reader.absolute("a//b/./c/../d") == "/etc/stacks/a/b/d")
            #expect(reader.absolute("../../../x") == "/x")
            #expect(reader.absolute("/x/../y") == "/y")
        }

        @Test func theNearestWordIsFound() {
            #expect(Spelling.nearest(to: "hypervisor", among: ["hyperplexor", "hypervisors"]) == "hypervisors")
            #expect(Spelling.nearest(to: "CPUS", among: ["cpus", "cores"]) == "cpus")
            #expect(Spelling.nearest(to: "zebra", among: ["cpus", "cores"]) == nil)
            #expect(Spelling.distance("", "abc") == 3)
            #expect(Spelling.distance("kitten", "sitting") == 3)
        }

        @Test func whatIsNotSaidOfContainers() throws {
            let stack = try Stack.parse(
                Array(try StackFileTests.text("Tests/VirtualMachinesTests/Fixtures/command-lines/systems.yaml").utf8),
                path: "test.yaml",
                directory: "/etc/stacks")
            #expect(stack.hypervisors == stack.systems && stack.systems.count == 2)
            let delta = stack.systems[1]
            #expect(delta.kind == .os && delta.containers.isEmpty && delta.cpus == 2)
            let worker = stack.containers[1]
            #expect(worker == ContainerSpec(name: "worker", bundle: "/srv/bundles/worker", memory: 64 << 20, card: nil))
            #expect(stack.containers[0].card?.gateway == "10.0.0.1")
            let six = stack.containers[2]
            #expect(six.memory == 256 << 20 && six.bundle == "/etc/six")
            #expect(
                six.card
                    == ContainerCard(
                        network: "lan", address: "fd00::5/64", gateway: "fe80::1", mac: "02:00:00:77:00:42"))
            #expect(stack.storeFile(of: "redis") == "/dev/shm/hyperfresh-demo/redis.store")
            #expect(stack.storeFile(of: "redis").hasPrefix(stack.storeDirectory))
            #expect(stack.networks(of: delta).map(\.name) == ["lan"])
        }

        @Test func hypervisorsAndSystemsBesideEachOther() throws {
            let stack = try Self.parse(
                """
                version: 1
                name: both
                hyperplexor: {cores: [0-4]}
                hypervisors: [{name: alpha}]
                systems: [{name: gamma, cpus: 1}, {name: delta}]
                """)
            #expect(stack.hypervisors.map(\.name) == ["alpha", "gamma", "delta"])
            #expect(stack.hypervisors.map(\.kind) == [.hypervisor, .os, .os])
            #expect(stack.cores(of: "gamma") == [2] && stack.cores(of: "delta") == [3, 4])
        }

        @Test(
            arguments: [
                ("10.0.0.5", "10.0.0.5"), ("FE80:0::1", "fe80::1"), ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ])
        func addresses(text: String, shown: String) {
            #expect(InternetAddress(text)?.text == shown)
        }

        @Test(arguments: ["", "10.0.0", "10.0.0.256", "fe80::1%eth0", "10.0.0.5/24", "a\0", "localhost", "1:2"])
        func noAddresses(text: String) {
            #expect(InternetAddress(text) == nil)
        }

        @Test func prefixesAreCompared() throws {
            let address = try #require(InternetAddress("10.0.129.5"))
            for (other, length, isSame) in [
                ("10.0.128.1", 17, true), ("10.0.128.1", 24, false), ("10.0.127.1", 17, false), ("11.0.0.1", 1, true),
                ("10.0.129.5", 32, true), ("10.0.129.4", 32, false), ("::1", 1, false),
            ] {
                #expect(address.shares(length, bitsWith: try #require(InternetAddress(other))) == isSame, "\(other)")
            }
            for bad in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"] {
                #expect(try #require(InternetAddress(bad)).isOfOneInterface == false, "\(bad)")
            }
        }
    }
}
