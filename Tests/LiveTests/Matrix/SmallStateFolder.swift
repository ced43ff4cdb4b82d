import CanaryTesting
import Glibc
import Linux
import Testing

/// A state folder on a small file system of its own, where a cell wants it to be full or read-only.
///
/// A file system that finds itself damaged becomes read-only with files open for writing, as no `mount` can make it.
struct SmallStateFolder {
    let path: String
    private var image: String { "\(path).ext4" }
    private var ballast: String { "\(path)/ballast" }

    func prepare(for fault: GuestFault) async throws {
        guard fault == .stateFull || fault == .stateReadOnly, try device == nil else { return }
        try Files.createDirectory(path, mode: 0o700)
        if !Files.exists(image) { try await run("mkfs.ext4", "-q", "-O", "^has_journal", image, "64M") }
        try await mount()
    }

    /// Until not a byte more has room.
    func fill() throws {
        let file = try Descriptor.open(ballast, flags: O_WRONLY | O_CREAT)
        for size in [65536, 1024, 1] {
            let bytes = [UInt8](repeating: 0, count: size)
            while write(file.number, bytes, size) == size {}
        }
    }

    /// As on an error of the disk, which has all that was written by then.
    func lock() throws {
        sync()
        let device = try #require(try device)
        let trigger = "/sys/fs/ext4/\(device.dropFirst("/dev/".count))/trigger_fs_error"
        let file = try Descriptor.open(trigger, flags: O_WRONLY)
        try Files.write(Array("test".utf8), to: file, name: trigger)
    }

    func restore(after fault: GuestFault) async throws {
        guard try device != nil else { return }
        unlink(ballast)
        guard fault == .stateReadOnly else { return }
        try await run("umount", path)
        // It tells by 1 that it has repaired something.
        _ = try await ChildProgram.run("e2fsck", ["-fy", image])
        try await mount()
    }

    /// Safe to call twice.
    func end() { while umount2(path, Int32(MNT_DETACH)) == 0 {} }

    /// What is mounted there.
    private var device: Substring? {
        get throws {
            let text = String(decoding: try Files.readAll("/proc/self/mounts"), as: UTF8.self)
            let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
            return lines.first { $0.count > 1 && $0[1] == path }?[0]
        }
    }

    private func mount() async throws {
        try await run("mount", "-o", "loop,errors=remount-ro", image, path)
        try #require(chmod(path, 0o700) == 0)
    }

    /// Up to five times: one of these was seen to fail once in some forty cells, and not why.
    private func run(_ program: String, _ words: String...) async throws {
        for attempt in 1... {
            let result = try await ChildProgram.run(program, words)
            if result.ending == .exited(0) { return }
            guard attempt < 5 else {
                throw MatrixWrong(description: "\(program) \(words.joined(separator: " ")): \(result)")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
