import Testing

@testable import Hypervisors

extension HypervisorsTests {
    /// Holds the stack files that this repository shows to the reader, and what stands for what is not said.
    @Suite struct StackExampleTests {
        private static func parse(_ text: String) throws(StackError) -> Stack {
            try StackFile.parse(Array(text.utf8), path: "test.yaml", directory: "/etc/stacks")
        }

        @Test func theDemoStackIsRead() throws {
            let stack = try StackFile.read(path: "\(Place.repository)/qemu-configs/stack-demo.yaml")
            #expect(stack.name == "demo")
            #expect(stack.directory.hasSuffix("/qemu-configs"))
            #expect(stack.hypervisors.map(\.name) == ["alpha"])
            #expect(stack.hypervisors[0].guests.map(\.name) == ["web", "db", "busy"])
        }

        @Test func theDocumentedExampleIsRead() throws {
            let text = try GoldenFile("../../../docs/stack-file.md").text
            let example = try #require(
                text.split(separator: "```yaml\n").dropFirst().first?.split(separator: "```").first)
            let stack = try Self.parse(String(example))
            #expect(stack.hyperplexor.cores == [4, 5, 6, 7, 8, 9, 12, 13])
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
        }

        /// The document's tables and the reader know the same keys.
        @Test func everyKeyIsDocumented() throws {
            let text = try GoldenFile("../../../docs/stack-file.md").text
            let documented = text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
                String(line.dropFirst(3).prefix { $0 != "`" })
            }
            let wrong = "version: 1\nname: a\na: 1\nhyperplexor: {a: 1}\nnetworks: [{a: 1}]\nhypervisors: "
            let guests = "[{a: 1, guests: [{a: 1, disks: [{a: 1}], networks: [{a: 1}], boot: {a: 1}}]}]"
            let error = try #require(throws: StackError.self) { try Self.parse(wrong + guests) }
            let lists = error.problems.compactMap { $0.remedy.split(separator: "Known keys: ").last }
            let known = Set(
                lists.filter { $0.hasPrefix("`") }.flatMap { $0.split { "`,. ".contains($0) } }.map(String.init))
            #expect(known.count > 30)
            let inText = ["network", "mac", "kernel", "initramfs", "arguments"]
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
            // The addresses are a promise: a guest keeps them for as long as its names are the same.
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
    }
}
