import CanaryTesting
import Glibc
import JSON
import Linux
import Testing

extension Live {
    /// A fresh hypervisor that does not come to be what it should: no guest notices, nothing is left, and it is said why.
    @Suite(.enabled(if: Live.hasHypervisorImages, Live.howToGetImages))
    struct BrokenHypervisorLiveTests {
        /// An image that is not what it should be.
        struct Flaw: Sendable, CustomStringConvertible {
            let description: String
            /// Words for its kernel.
            var words = ""
            /// A file of it that is cut off after so many bytes.
            var cut: (file: String, bytes: Int)?
            /// How long the refresh may take: emulated hypervisors boot in half a minute when the host is busy.
            var timeout = "60s"
            let exit: Int
            /// What the error tells.
            let says: String
        }

        private static let flaws = [
            Flaw(
                description: "its kernel panics", cut: ("initramfs.gz", 4096), exit: 1, says: "Kernel panic"),
            Flaw(
                description: "its agent never answers", words: "systemd.unit=emergency.target", timeout: "30s", exit: 4,
                says: "console: "),
            Flaw(
                description: "its root is cut off", cut: ("root.erofs", 1 << 20), exit: 1,
                says: "is missing in the image"),
        ]

        @Test func aFreshHypervisorThatFailsHarmsNobody() async throws {
            try await NestedStack.run("broken", guests: [.init(name: "one")]) { stack in
                try await stack.proveAlive("one")
                for flaw in Self.flaws { try await fails(flaw, stack) }
                try await diesWhileMemoryIsAttached(stack)
                try await diesWhenItsGuestIsLinked(stack)
                try await rehearses(stack)
                try await hasNoRoom(stack)
                try await meetsAMemoryFileOfAnotherSize(stack)
            }
        }

        private func fails(_ flaw: Flaw, _ stack: NestedStack) async throws {
            let image = "\(stack.files.directory)/broken"
            try await breakImage(Live.image("standard"), flaw, into: image)
            let report = try await stack.refresh("--image", image, "--timeout", flaw.timeout)
            #expect(report["exit_code"]?.int == flaw.exit, "\(flaw): \(report)")
            #expect("\(report["error"] ?? .null)".contains(flaw.says), "\(flaw): \(report)")
            try await expectUntouched(stack, "\(flaw)")
            _ = try await ChildProgram.run("rm", ["-rf", image])
        }

        private func diesWhileMemoryIsAttached(_ stack: NestedStack) async throws {
            let old = try #require(stack.processes.first)
            let refresh = try stack.startRefresh()
            while !refresh.outputSoFar.contains(#""phase":"attach""#) { try await Task.sleep(for: .milliseconds(10)) }
            for pid in stack.processes where pid != old { kill(pid, SIGKILL) }
            let report = try await refresh.result(within: .seconds(120)).report
            #expect(report["exit_code"] == 1, "\(report)")
            try await expectUntouched(stack, "it dies while memory is attached")
        }

        private func diesWhenItsGuestIsLinked(_ stack: NestedStack) async throws {
            let before = stack.processes
            let report = try await stack.refresh(killingNewAt: "after-record:switching")
            #expect(report["outcome"] == "rolled-back", "\(report)")
            #expect(stack.processes == before)
            try await expectUntouched(stack, "it dies when its guest is linked")
        }

        /// A dry run does everything up to linked guests, and no guest notices.
        private func rehearses(_ stack: NestedStack) async throws {
            let before = stack.processes
            let report = try await stack.refresh("--dry-run")
            #expect(report["outcome"] == "rehearsed", "\(report)")
            #expect(stack.processes == before)
            try await expectUntouched(stack, "it is a dry run")
        }

        /// A hypervisor's own keys may change while it runs: the next one has them, if the host can.
        private func hasNoRoom(_ stack: NestedStack) async throws {
            try stack.write(hypervisorMemory: "128G")
            try await stack.up()
            let report = try await stack.refresh()
            #expect(report["exit_code"] == 3, "\(report)")
            try await expectUntouched(stack, "there is no memory for it")
            try stack.write()
            try await stack.up()
        }

        private func meetsAMemoryFileOfAnotherSize(_ stack: NestedStack) async throws {
            let path = "\(stack.memoryFolder)/one.ram"
            let size = Int(try Files.status(path).size)
            #expect(truncate(path, size + 16 << 20) == 0)
            let report = try await stack.refresh()
            #expect(report["exit_code"]?.int == 3, "\(report)")
            #expect("\(report["error"] ?? .null)".contains("memory file"), "\(report)")
            #expect(truncate(path, size) == 0)
            try await expectUntouched(stack, "the memory file has another size")
        }

        private func expectUntouched(_ stack: NestedStack, _ comment: Comment) async throws {
            #expect(try await stack.instances().count == 1, comment)
            #expect(stack.processes.count == 1, comment)
            try await stack.proveAlive("one")
        }

        private func breakImage(_ image: String, _ flaw: Flaw, into folder: String) async throws {
            let copy = try await ChildProgram.run("cp", ["-rl", image, folder])
            try #require(copy.ending == .exited(0), "\(copy)")
            let manifest = "\(folder)/image.json"
            var json = try #require(try JSONValue(parsing: Files.readAll(manifest)).object)
            json["append"] = .string("\(json["append"]?.string ?? "") \(flaw.words)")
            unlink(manifest)
            try Files.replaceAtomically(manifest, bytes: Array(JSONValue.object(json).encoded().utf8))
            guard let cut = flaw.cut else { return }
            let path = "\(folder)/\(cut.file)"
            let short = try await ChildProgram.run(
                "sh", ["-c", "head -c \(cut.bytes) \(path) >\(path).short && mv \(path).short \(path)"])
            try #require(short.ending == .exited(0), "\(short)")
        }
    }
}
