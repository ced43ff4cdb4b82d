import CanaryTesting
import Glibc
import Linux
import Testing

/// A state folder on its own small file system, for cells in which it is full or read-only.
///
/// A damaged file system becomes read-only even with files open for writing, which `mount` cannot do.
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

    /// Fills the file system completely.
    func fill() throws {
        let file = try Descriptor.open(ballast, flags: O_WRONLY | O_CREAT)
        for size in [65536, 1024, 1] {
            let bytes = [UInt8](repeating: 0, count: size)
            while write(file.number, bytes, size) == size {}
        }
    }

    /// Makes the file system read-only, as a disk error would, after all earlier writes are on the disk.
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
        // Exit status 1 means that it repaired something.
        _ = try await ChildProgram.run("e2fsck", ["-fy", image])
        try await mount()
    }

    /// Unmounts it; a second call does nothing.
    func end() { while umount2(path, Int32(MNT_DETACH)) == 0 {} }

    /// The device mounted there.
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

    /// Retries up to five times: one of these programs failed about once in forty cells, for an unknown reason.
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
