import Glibc
import JSON
import Linux
import TestTools
import Testing
@testable import VirtualMachines

/// Feeds mutated answers from inside hypervisors, and mutated image manifests, to their readers.
@Suite struct AnswerFuzzTests {
    private static let answers = FuzzCorpus(
        texts: [
            "dax0.0 33554432\n", "dax12.34 18446744073709551615", "no DAX device appeared at 0x100\n", "dax0.0", "",
        ],
        words: ["dax", "dax0.0", ".", "/", "../", ",share=off", " ", "\n", "-1"], largestInput: 2000)

    private static let manifests = FuzzCorpus(
        texts: [
            """
            {"version": 1, "name": "standard", "kernel": "6.1.0-50-cloud-amd64", "qemu": "7.2.22", "append": "console=ttyS0",
             "files": {"kernel": "vmlinuz", "initramfs": "initramfs.gz", "root": "root.erofs"}}
            """, "{\"version\": 2}", "[]", "", "{\"version\": 1, \"files\": []}",
        ],
        words: ["\"version\": 1", "\"files\":", "\"kernel\":", "\"../\"", "\"\"", "{", "}", "null", "\\u0000"],
        largestInput: 2000)

    @Test func aMemoryDeviceIsAlwaysADevice() async {
        let failure = await Fuzz("answers", Self.answers).run { input, _ in
            let text = String(decoding: input, as: UTF8.self)
            guard let device = try? CoMapping.device(in: text, at: 0x1_0000_0000) else { return }
            let name = device.path.dropFirst("/dev/dax".count)
            guard device.path.hasPrefix("/dev/dax"), name.allSatisfy({ $0 == "." || ("0"..."9").contains($0) }) else {
                throw Fuzz.Violation("no device: \(device.path)")
            }
        }
        #expect(failure == nil)
    }

    @Test func anImageIsWholeOrNone() async throws {
        let folder = "/dev/shm/hyperfresh-test-image-\(getpid())"
        try Files.createDirectory(folder)
        let names = ["vmlinuz", "initramfs.gz", "root.erofs"]
        for name in names { try Files.replaceAtomically("\(folder)/\(name)", bytes: [1]) }
        defer {
            for name in (try? ProcFS.names(inFolder: folder)) ?? [] { unlink("\(folder)/\(name)") }
            rmdir(folder)
        }
        // One file for each worker: they run concurrently.
        let failure = await Fuzz("image", Self.manifests, inputs: 2000).run { input, _ in
            let own = "\(folder)/\(pthread_self())"
            if !Files.exists(own) {
                try Files.createDirectory(own)
                for name in names { symlink("../\(name)", "\(own)/\(name)") }
            }
            try Files.replaceAtomically("\(own)/image.json", bytes: input)
            guard let image = try? HypervisorImage.read(own) else { return }
            for file in [image.kernel, image.initramfs, image.root] where (try? Files.status(file).kind) != .regular {
                throw Fuzz.Violation("\(file) is no file")
            }
        }
        for name in try ProcFS.names(inFolder: folder) where !names.contains(name) {
            for file in try ProcFS.names(inFolder: "\(folder)/\(name)") { unlink("\(folder)/\(name)/\(file)") }
            rmdir("\(folder)/\(name)")
        }
        #expect(failure == nil)
    }
}
