import CanaryTesting
import Foundation
import Glibc
import Linux

/// Counts what a refresh could leak or grow; used while no refresh runs.
struct SoakCount {
    let guest: SoakGuest
    let scratch: Scratch

    func take() throws -> [SoakFigure: Int] {
        let pid = guest.process.pid
        let descriptors = try ProcFS.descriptors(pid).values
        let state = try files(in: scratch.stateDirectory)
        let journals = state.count { $0.hasSuffix(".journal") }
        let bound = try ProcFS.unixSockets().count { $0.path?.contains(scratch.token) == true }
        return [
            .qemuKibibytes: try anonymousKibibytes(of: pid),
            .qemuDescriptors: descriptors.count,
            .qemuSockets: descriptors.count { $0.hasPrefix("socket:") },
            .memoryFileKibibytes: try kibibytes(occupiedBy: guest.canary.files.memory),
            .processes: scratch.processes().count,
            .unreaped: guest.remainingPredecessors(),
            .boundSockets: bound,
            .taps: try ProcFS.names(inFolder: "/sys/class/net").count { $0.hasPrefix(scratch.tap) },
            .stateFiles: state.count - journals,
            .journals: journals,
            .guestFiles: try files(in: guest.canary.files.directory).count,
            .memoryFiles: try files(in: scratch.memoryDirectory).count,
        ].merging(try host()) { $1 }
    }

    /// Returns all files and folders below a folder.
    private func files(in folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder)
    }

    /// Returns QEMU's own memory, without the guest's memory, which is file-backed.
    private func anonymousKibibytes(of pid: Int32) throws -> Int {
        try number(after: "Anonymous:", in: "/proc/\(pid)/smaps_rollup")
    }

    private func kibibytes(occupiedBy path: String) throws -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemError(operation: "stat", subject: path, code: errno) }
        return Int(status.st_blocks) / 2
    }

    /// Counts for the whole host, which include everything else that runs.
    private func host() throws -> [SoakFigure: Int] {
        let names = try ["/dev/shm", "/tmp", "/run"].reduce(0) { try $0 + ProcFS.names(inFolder: $1).count }
        return [
            .hostDescriptors: try number(after: "", in: "/proc/sys/fs/file-nr"),
            .hostSockets: try number(after: "sockets: used", in: "/proc/net/sockstat"),
            .hostProcesses: try ProcFS.processes().count,
            .hostFiles: names,
        ]
    }

    /// Returns the first number on the line that begins with a text.
    private func number(after words: String, in path: String) throws -> Int {
        let text = String(decoding: try Files.readAll(path), as: UTF8.self)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(words) }),
            let number = line.dropFirst(words.count).split(whereSeparator: \.isWhitespace).first.flatMap({ Int($0) })
        else { throw BenchError("\(path) contains no \(words)") }
        return number
    }
}
